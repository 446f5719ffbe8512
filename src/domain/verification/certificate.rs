//! Whom a certificate names.

/// What a certificate authority attests of the signer whose key it certified.
///
/// All but the first two come from the extensions of Sigstore's certificate authority under the OID
/// 1.3.6.1.4.1.57264.1, and are empty where the certificate has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateIdentity {
    /// Who authenticated the signer: the URL of an OpenID Connect issuer.
    pub issuer: String,
    /// The subject alternative name: an e-mail address, or a URI such as that of a workflow.
    pub subject: String,
    /// The name of the authority that issued the certificate.
    pub certificate_issuer: String,
    pub build_signer_uri: String,
    pub build_signer_digest: String,
    pub runner_environment: String,
    pub source_repository_uri: String,
    pub source_repository_digest: String,
    pub source_repository_ref: String,
    pub source_repository_identifier: String,
    pub source_repository_owner_uri: String,
    pub source_repository_owner_identifier: String,
    pub source_repository_visibility: String,
    pub build_config_uri: String,
    pub build_config_digest: String,
    pub build_trigger: String,
    pub run_invocation_uri: String,
}
