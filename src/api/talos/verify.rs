//! What the rules say of an image that a client asks to have verified.

use super::proto::machine::ImageServiceVerifyResponse;
use crate::domain::{Error, Kind, Reference, Result};
use crate::engine::{RuleAction, RuleDecision, Rules};

/// The answer for an image of a name, as far as rules give it without a look at signatures; without rules, none matches.
///
/// # Errors
/// `PermissionDenied` where a rule denies the image; `NotImplemented` where one asks for a signature. A client takes any
/// error for a refusal, so that nothing passes for verified that is not.
pub fn answer(rules: Option<&Rules>, name: &Reference) -> Result<ImageServiceVerifyResponse> {
    let decision = rules.map_or(RuleDecision::NoRule, |rules| rules.decide(Some(name)));
    let rule = match decision {
        RuleDecision::NoRule => return Ok(not_verified("no matched rule".to_owned())),
        RuleDecision::DeniedByDefault => {
            return Err(denied("verification denied by default: no matched rule".to_owned()));
        }
        RuleDecision::Rule(rule) => rule,
    };
    let id = &rule.id;
    match rule.action {
        RuleAction::Skip => Ok(not_verified(format!("verification skipped by matched rule ({id})"))),
        RuleAction::Deny if rule.is_audit => Ok(not_verified(format!("denial by matched rule ({id}) is only noted"))),
        RuleAction::Deny => Err(denied(format!("verification denied by matched rule ({id})"))),
        RuleAction::Verify { .. } => Err(Error::new(
            Kind::NotImplemented,
            format!("matched rule ({id}) asks for a signature, which is looked for when the image is pulled, not here"),
        )),
    }
}

fn not_verified(message: String) -> ImageServiceVerifyResponse {
    ImageServiceVerifyResponse { verified: false, message, digested_image_ref: String::new() }
}

fn denied(text: String) -> Error {
    Error::new(Kind::PermissionDenied, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"apiVersion: v1alpha1
kind: ImageVerificationConfig
rules:
  - {image: "docker.io/skipped/*", skip: true}
  - {image: "registry.example/signed/*", keyless: {issuer: "https://issuer.example", subject: me}}
  - {image: "registry.example/no/*", deny: true}
"#;

    fn asked(rules: Option<&Rules>, name: &str) -> Result<String, (Kind, String)> {
        let name = Reference::parse(name).unwrap().with_default_tag().canonical().unwrap();
        match answer(rules, &name) {
            Ok(answer) => {
                assert!(!answer.verified && answer.digested_image_ref.is_empty());
                Ok(answer.message)
            }
            Err(error) => Err((error.kind(), error.public().to_owned())),
        }
    }

    #[test]
    fn each_rule_answers_in_talos_words() {
        let rules = Rules::parse(RULES).unwrap();
        let ask = |name| asked(Some(&rules), name);
        assert_eq!(ask("registry.example/other/app:1"), Ok("no matched rule".to_owned()));
        let skipped = Ok("verification skipped by matched rule (0000)".to_owned());
        assert_eq!(ask("Registry-1.docker.io/skipped/app"), skipped);
        let denied = Err((Kind::PermissionDenied, "verification denied by matched rule (0002)".to_owned()));
        assert_eq!(ask("REGISTRY.example/no/app:1"), denied);
    }

    #[test]
    fn a_signature_that_is_not_looked_for_is_an_error() {
        let rules = Rules::parse(RULES).unwrap();
        let (kind, text) = asked(Some(&rules), "registry.example/signed/app:1").unwrap_err();
        assert_eq!((kind, text.starts_with("matched rule (0001) asks for a signature")), (Kind::NotImplemented, true));
    }

    #[test]
    fn without_rules_none_matches() {
        assert_eq!(asked(None, "app"), Ok("no matched rule".to_owned()));
    }
}
