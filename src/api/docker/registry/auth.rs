//! `POST /auth`.

use axum::body::Bytes;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::docker::answer::{Answer, ErrorResponse, Failure, json};
use crate::api::docker::app::App;
use crate::domain::Error;
use crate::engine::Credential;

/// What opens a registry, and which one.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "the credential is read by its own type; this documents it")]
pub struct AuthConfig {
    /// Who logs in.
    #[schema(nullable = false, example = "someuser")]
    username: Option<String>,
    /// The user's password, or a token that stands for it.
    #[schema(nullable = false, format = Password, example = "secret")]
    password: Option<String>,
    /// Not used.
    #[schema(nullable = false)]
    email: Option<String>,
    /// The registry: a host with or without port, or a URL; Docker Hub if not set.
    #[schema(nullable = false, example = "registry.example:5000")]
    serveraddress: Option<String>,
    /// A token that an earlier login gave, in place of the password.
    #[schema(nullable = false)]
    identitytoken: Option<String>,
}

/// What a registry said to a login.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct AuthResponse<'a> {
    /// For people.
    #[schema(example = "Login Succeeded")]
    status: &'static str,
    /// What to use from now on in place of the password; absent where the registry gives no such token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    identity_token: Option<&'a str>,
}

/// Check a credential
///
/// Asks a registry whether it accepts a user and a password. Nothing is kept.
#[utoipa::path(
    post,
    path = "/auth",
    operation_id = "SystemAuth",
    tag = "System",
    request_body(content = AuthConfig, description = "The credential",
        example = json!({"username": "someuser", "password": "secret", "serveraddress": "registry.example:5000"})),
    responses(
        (status = 200, description = "The registry accepts it", body = AuthResponse<'static>,
            example = json!({"Status": "Login Succeeded"})),
        (status = 400, description = "The body is malformed", body = ErrorResponse<'static>,
            example = json!({"message": "the body is no JSON object"})),
        (status = 401, description = "The registry does not accept it", body = ErrorResponse<'static>,
            example = json!({"message": "unauthorized: incorrect username or password"})),
        (status = 403, description = "The registry sends the daemon where it must not go", body = ErrorResponse<'static>,
            example = json!({"message": "https://registry.example:5000/v2/ points to http://token.example, which is not encrypted"})),
        (status = 500, description = "The daemon failed, or the registry cannot be reached", body = ErrorResponse<'static>,
            example = json!({"message": "GET https://registry.example:5000/v2/: Connection refused (os error 111)"})),
    ),
)]
pub async fn system_auth(State(app): State<App>, body: Bytes) -> Answer {
    #[derive(Deserialize)]
    struct Server {
        #[serde(default)]
        serveraddress: Option<String>,
    }
    let server: Server = serde_json::from_slice(&body).map_err(|_| Error::invalid("the body is no JSON object"))?;
    let credential = Credential::from_json(&body)?;
    let server = server.serveraddress.unwrap_or_default();
    let outcome = app.engine.login(&server, &credential).await.map_err(Failure::remote)?;
    let identity_token = outcome.identity_token.as_ref().map(|token| token.reveal());
    json(StatusCode::OK, &AuthResponse { status: "Login Succeeded", identity_token })
}
