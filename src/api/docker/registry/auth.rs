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

/// Registry credentials.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "the credential is read by its own type; this documents it")]
pub struct AuthConfig {
    /// The user name.
    #[schema(nullable = false, example = "someuser")]
    username: Option<String>,
    /// The password, or an access token.
    #[schema(nullable = false, format = Password, example = "secret")]
    password: Option<String>,
    /// Not used.
    #[schema(nullable = false, deprecated, example = "someuser@example.com")]
    email: Option<String>,
    /// The registry: a host with an optional port, or a URL; by default Docker Hub.
    #[schema(nullable = false, example = "registry.example:5000")]
    serveraddress: Option<String>,
    /// An identity token from an earlier login, in place of the password.
    #[schema(nullable = false, example = "dGhlIHRva2Vu")]
    identitytoken: Option<String>,
}

/// The result of a login.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct AuthResponse<'a> {
    /// A message to show.
    #[schema(example = "Login Succeeded")]
    status: &'static str,
    /// A token to use instead of the password from now on; absent if the registry issued none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "dGhlIHRva2Vu")]
    identity_token: Option<&'a str>,
}

/// Check registry credentials
///
/// Checks with the registry whether it accepts the credentials. They are not stored.
#[utoipa::path(
    post,
    path = "/auth",
    operation_id = "SystemAuth",
    tag = "System",
    request_body(content = AuthConfig, description = "The credentials",
        example = json!({"username": "someuser", "password": "secret", "serveraddress": "registry.example:5000"})),
    responses(
        (status = 200, description = "The registry accepts the credentials", body = AuthResponse<'static>,
            example = json!({"Status": "Login Succeeded"})),
        (status = 400, description = "The body is not a JSON object", body = ErrorResponse<'static>,
            example = json!({"message": "the body is no JSON object"})),
        (status = 401, description = "The registry rejects the credentials", body = ErrorResponse<'static>,
            example = json!({"message": "unauthorized: incorrect username or password"})),
        (status = 403, description = "The registry redirects to an address that is not allowed", body = ErrorResponse<'static>,
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
