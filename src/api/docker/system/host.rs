//! What the daemon tells of the machine it runs on.

use std::io::Read;
use std::path::Path;
use std::sync::LazyLock;

use crate::domain::Platform;

/// Facts of the host, read once.
pub struct Host {
    pub name: String,
    pub kernel_version: String,
    /// The distribution's name for people; empty where it is not told.
    pub operating_system: String,
    /// The distribution's version; empty where it has none.
    pub os_version: String,
    /// The machine's architecture as the kernel calls it, e.g. `x86_64`.
    pub machine: String,
    /// The same as images call it, e.g. `amd64`.
    pub architecture: String,
    pub cpus: usize,
    /// Bytes of memory.
    pub memory: u64,
    /// `1` or `2`.
    pub cgroup_version: &'static str,
}

static HOST: LazyLock<Host> = LazyLock::new(Host::read);

impl Host {
    /// The host that the daemon runs on. The first call reads a few small files.
    pub fn here() -> &'static Self {
        &HOST
    }

    /// Reads the host.
    pub(super) fn read() -> Self {
        let uname = rustix::system::uname();
        let memory = rustix::system::sysinfo();
        let release = os_release();
        Self {
            name: uname.nodename().to_string_lossy().into_owned(),
            kernel_version: uname.release().to_string_lossy().into_owned(),
            operating_system: field(&release, "PRETTY_NAME").unwrap_or_default(),
            os_version: field(&release, "VERSION_ID").unwrap_or_default(),
            machine: uname.machine().to_string_lossy().into_owned(),
            architecture: Platform::host().architecture,
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            // The fields' widths differ between architectures.
            #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
            memory: (memory.totalram as u64).saturating_mul(u64::from(memory.mem_unit)),
            cgroup_version: if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() { "2" } else { "1" },
        }
    }
}

/// The text of `os-release(5)`; empty where there is none.
fn os_release() -> String {
    const LIMIT: u64 = 64 << 10;
    let mut text = String::new();
    for path in ["/etc/os-release", "/usr/lib/os-release"] {
        let read = std::fs::File::open(path).and_then(|file| file.take(LIMIT).read_to_string(&mut text));
        if read.is_ok() {
            return text;
        }
    }
    String::new()
}

/// One variable of an `os-release(5)` text, without its quotes; absent where the text does not set it.
fn field(text: &str, name: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))?;
    let quoted = |quote| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    Some(quoted('"').or_else(|| quoted('\'')).unwrap_or(value).replace('\\', ""))
}

/// A proxy's address without the credentials that it may hold; empty where there is none.
pub(super) fn shown_proxy(url: Option<&str>) -> String {
    without_credentials(url.unwrap_or_default())
}

fn without_credentials(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    let authority = url[start..].find('/').map_or(url.len(), |at| start + at);
    match url[start..authority].rfind('@') {
        Some(at) => format!("{}xxxxx:xxxxx@{}", &url[..start], &url[start + at + 1..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests;
