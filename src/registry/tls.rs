//! The certificates that one host needs, as Docker lays them out: `DIR/host[:port]/*.crt` are authorities to trust,
//! `NAME.cert` and `NAME.key` the client's own.

use std::path::{Path, PathBuf};

use reqwest::{Certificate, Identity};

use super::hosts::{HUB_HOST, HUB_NAME};
use crate::domain::error::{Error, Result};

/// The largest file that is read as a certificate.
const MAX_FILE: u64 = 1 << 20;

/// The directory with a directory for each host.
pub(super) struct Certificates {
    directory: PathBuf,
}

/// What one host needs; empty for most.
#[derive(Default)]
pub(super) struct HostTls {
    pub authorities: Vec<Certificate>,
    /// The same as PEM.
    pub authorities_pem: Vec<Vec<u8>>,
    pub identity: Option<Identity>,
}

impl Certificates {
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// What a host on a port needs.
    ///
    /// # Errors
    /// `InvalidArgument` that names the file: unreadable, no certificate, or one without the other half.
    pub async fn of(&self, host: &str, port: u16) -> Result<HostTls> {
        // A host comes from a URL: it holds no slash.
        let mut directories = vec![self.directory.join(format!("{host}:{port}"))];
        if matches!(port, 80 | 443) {
            directories.push(self.directory.join(host));
            // Docker Hub's certificates are looked for under the name that people use.
            if host == HUB_HOST {
                directories.push(self.directory.join(HUB_NAME));
            }
        }
        let reading = tokio::task::spawn_blocking(move || directories.iter().find_map(|path| read(path).transpose()));
        let found = reading.await.map_err(|cause| Error::internal("reading certificates", cause))?;
        found.transpose().map(Option::unwrap_or_default)
    }
}

/// `None` where there is no such directory.
fn read(directory: &Path) -> Result<Option<HostTls>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(unusable(directory, "cannot be read").with_cause(error)),
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut tls = HostTls::default();
    for file in &files {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("crt") => {
                let pem = contents(file)?;
                let certificates = Certificate::from_pem_bundle(&pem)
                    .ok()
                    .filter(|certificates| !certificates.is_empty())
                    .ok_or_else(|| unusable(file, "holds no certificate in PEM"))?;
                tls.authorities.extend(certificates);
                tls.authorities_pem.push(pem);
            }
            Some("cert") => {
                let key = file.with_extension("key");
                if !files.contains(&key) {
                    return Err(unusable(file, "has no key: the .key file beside it is missing"));
                }
                let mut pem = contents(&key)?;
                pem.push(b'\n');
                pem.extend(contents(file)?);
                tls.identity = Some(
                    Identity::from_pem(&pem)
                        .map_err(|_| unusable(file, "and its key are not a certificate and a private key in PEM"))?,
                );
            }
            Some("key") if !files.contains(&file.with_extension("cert")) => {
                return Err(unusable(file, "has no certificate: the .cert file beside it is missing"));
            }
            _ => {}
        }
    }
    Ok(Some(tls))
}

fn contents(file: &Path) -> Result<Vec<u8>> {
    let size = std::fs::metadata(file).map_err(|error| unusable(file, "cannot be read").with_cause(error))?.len();
    if size > MAX_FILE {
        return Err(unusable(file, "is too large for a certificate"));
    }
    std::fs::read(file).map_err(|error| unusable(file, "cannot be read").with_cause(error))
}

fn unusable(file: &Path, why: &str) -> Error {
    Error::invalid(format!("{} {why}", file.display()))
}
