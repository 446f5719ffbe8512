//! Files that a client names by URL. Whoever serves them is no registry: no credential and no certificate of ours is
//! sent, and no exemption that registries have applies.

use http::StatusCode;
use http::header::LOCATION;
use reqwest::{Response, Url};
use tokio::time::timeout;

use super::body::BlobStream;
use super::policy::{is_private, same_origin, shown};
use super::refusal::MAX_ERROR;
use super::registries::Registries;
use super::transport::{Net, proxied, unreachable_host};
use crate::domain::error::{Error, Kind, Result};

/// How often one request may be sent elsewhere.
const MAX_REDIRECTS: usize = 10;

/// How much of a refusal is shown.
const MAX_SHOWN: usize = 300;

/// A file that is being fetched.
pub struct Download {
    /// In bytes; absent where the server does not say.
    pub size: Option<u64>,
    /// The file as it arrives; it fails where nothing arrives for too long.
    pub body: BlobStream,
}

/// A URL as it may be noted down for everybody: without user, query and fragment. A text that is no URL says nothing.
pub fn without_secrets(url: &str) -> String {
    read(url).map(|url| shown(&url)).unwrap_or_default()
}

impl Registries {
    /// Fetches a file by an http or https URL; without a scheme, it is http.
    ///
    /// # Errors
    /// `InvalidArgument` for anything else, and for a user in the URL; `NotFound` and `PermissionDenied` as the server
    /// says, the latter also where it redirects to what must not be asked; `Unavailable` where there is no answer.
    pub async fn download(&self, url: &str) -> Result<Download> {
        let net = self.net();
        let home = read(url)?;
        let mut url = home.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = get(net, &url).await?;
            let Some(next) = redirect(&response) else { return received(net, response).await };
            let next = next.and_then(|next| may_visit(&home, &url, &next).map(|()| next));
            let refused = |why| Error::new(Kind::PermissionDenied, format!("{} redirects to {why}", shown(&url)));
            url = next.map_err(refused)?;
        }
        let text = format!("{} redirects more than {MAX_REDIRECTS} times", shown(&home));
        Err(Error::new(Kind::Unavailable, text))
    }
}

fn read(text: &str) -> Result<Url> {
    let refused = |why: &str| Error::invalid(format!("invalid URL to import from: {why}"));
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&text).map_err(|cause| refused("it is malformed").with_cause(cause))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("only http and https are supported"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("it holds a user name, and credentials are not sent"));
    }
    Ok(url)
}

/// Whether a server may send the daemon on: not from https to what is not encrypted, and not from the Internet into the
/// networks of this machine.
fn may_visit(home: &Url, at: &Url, next: &Url) -> Result<(), String> {
    let target = shown(next);
    if !matches!(next.scheme(), "http" | "https") || !next.username().is_empty() || next.password().is_some() {
        return Err("something that is no URL of http or https, or holds a user name".to_owned());
    }
    if same_origin(home, next) {
        return Ok(());
    }
    if at.scheme() == "https" && next.scheme() == "http" {
        return Err(format!("{target}, which is not encrypted"));
    }
    let private = |url: &Url| url.host_str().is_none_or(is_private);
    match private(next) && !private(home) {
        true => Err(format!("{target}, an address of a private network")),
        false => Ok(()),
    }
}

fn redirect(response: &Response) -> Option<Result<Url, String>> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?;
    let target = location.to_str().ok().and_then(|location| response.url().join(location).ok());
    Some(target.ok_or_else(|| "something that is no URL".to_owned()))
}

async fn get(net: &Net, url: &Url) -> Result<Response> {
    let port = url.port_or_known_default().unwrap_or_default();
    let builder = reqwest::Client::builder()
        .user_agent(net.user_agent)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(net.timeouts.connect);
    let builder = proxied(builder, &net.proxies_to(url.host_str().unwrap_or_default(), port))?;
    let client = tokio::task::spawn_blocking(move || builder.build()).await;
    let client = client
        .map_err(|cause| Error::internal("preparing a connection", cause))?
        .map_err(|cause| Error::internal("preparing a connection", cause))?;
    match timeout(net.timeouts.answer, client.get(url.clone()).send()).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(cause)) => Err(unreachable_host(&http::Method::GET, url, cause).into()),
        Err(_) => {
            let text = format!("GET {}: no answer within {} s", shown(url), net.timeouts.answer.as_secs_f32());
            Err(Error::new(Kind::Unavailable, text))
        }
    }
}

async fn received(net: &Net, response: Response) -> Result<Download> {
    let status = response.status();
    if status == StatusCode::OK {
        return Ok(Download { size: response.content_length(), body: net.body(response) });
    }
    let url = shown(response.url());
    let body = net.document(response, MAX_ERROR).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&body);
    let said: String = said.trim().chars().filter(|letter| !letter.is_control()).take(MAX_SHOWN).collect();
    let text = format!("failed to GET {url} with status {status}: {said}");
    Err(Error::new(
        match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Kind::NotFound,
            StatusCode::BAD_REQUEST => Kind::InvalidArgument,
            StatusCode::UNAUTHORIZED => Kind::Unauthenticated,
            StatusCode::FORBIDDEN => Kind::PermissionDenied,
            _ => Kind::Unavailable,
        },
        text,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_is_fetched_and_nothing_is_told() {
        assert_eq!(read("example.com/rootfs.tar").unwrap().as_str(), "http://example.com/rootfs.tar");
        assert_eq!(read("https://example.com/a?b=c").unwrap().as_str(), "https://example.com/a?b=c");
        for refused in
            ["", "://", "file:///etc/passwd", "ftp://h/x", "http://", "http://user@h/", "https://u:p@h/", "h:99999"]
        {
            assert_eq!(read(refused).unwrap_err().kind(), Kind::InvalidArgument, "{refused}");
        }
        assert_eq!(without_secrets("https://h/x.tar?signature=s#f"), "https://h/x.tar");
    }

    #[test]
    fn redirects_lead_neither_inside_nor_into_the_open() {
        let url = |text: &str| Url::parse(text).unwrap();
        for (home, at, next, allowed) in [
            ("http://a.example", "http://a.example", "http://b.example", true),
            ("http://a.example", "http://a.example", "https://b.example", true),
            ("http://a.example", "https://b.example", "http://c.example", false),
            ("https://a.example", "https://a.example", "https://b.example/x?y", true),
            ("https://a.example", "https://a.example", "http://a.example", false),
            ("http://a.example", "http://a.example", "http://127.0.0.1/", false),
            ("http://a.example", "http://a.example", "http://169.254.169.254/latest", false),
            ("http://a.example", "http://a.example", "http://[::1]/", false),
            ("http://10.0.0.1", "http://10.0.0.1", "http://10.0.0.2/", true),
            ("http://10.0.0.1", "http://10.0.0.1", "file:///etc/passwd", false),
            ("http://a.example", "http://a.example", "http://user@b.example/", false),
        ] {
            assert_eq!(may_visit(&url(home), &url(at), &url(next)).is_ok(), allowed, "{home} by {at} to {next}");
        }
    }
}
