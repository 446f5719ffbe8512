//! How registries are to be reached.

use std::path::PathBuf;
use std::time::Duration;

use super::named::TokenService;
use super::policy::InsecureRegistry;
use super::proxies::Proxies;

/// How registries are to be reached. Plain data.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Registries that may be reached without TLS, or with a certificate that does not check. Loopback always may.
    pub insecure: Vec<InsecureRegistry>,
    /// Token services that may have a registry's credential although they are of another domain.
    pub token_services: Vec<TokenService>,
    /// Mirrors of Docker Hub, first one first: http or https URLs.
    pub mirrors: Vec<String>,
    /// Where certificates of single registries are: `host[:port]/*.crt`, and `*.cert` with `*.key`.
    pub certs_dir: PathBuf,
    /// How the daemon names itself.
    pub user_agent: &'static str,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// The proxies to go through.
    pub proxies: Proxies,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            insecure: Vec::new(),
            token_services: Vec::new(),
            mirrors: Vec::new(),
            certs_dir: "/etc/docker/certs.d".into(),
            user_agent: concat!("loadline/", env!("CARGO_PKG_VERSION")),
            timeouts: Timeouts::default(),
            proxies: Proxies::default(),
        }
    }
}

/// How long to wait for what. Nothing limits how long a whole transfer takes.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// From the end of a request to the end of its answer's headers, however they arrive.
    pub answer: Duration,
    /// For `headway` bytes of an answer's body, or for its end; and without a byte of a request's.
    pub stall: Duration,
    /// The bytes of a body that must arrive within `stall`. A connection that is slower than that stands as good as still.
    pub headway: u64,
    /// Before the first repetition; each further one waits twice as long.
    pub backoff: Duration,
    /// The longest wait that a registry may ask for; longer ones end in an error.
    pub longest_wait: Duration,
    /// How often a request is repeated.
    pub repetitions: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            answer: Duration::from_secs(60),
            stall: Duration::from_secs(30),
            headway: 16 << 10,
            backoff: Duration::from_millis(500),
            longest_wait: Duration::from_secs(60),
            repetitions: 4,
        }
    }
}
