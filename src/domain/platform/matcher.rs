//! Which platforms satisfy a wanted one, and which of them best.

use super::Platform;

/// No architecture has variants beyond this one; what a client asks for must not decide how much work it makes.
const MAX_VERSION: u32 = 16;

/// Windows Server 2022: the first build that also runs images of older builds, and the oldest it runs.
const WINDOWS_STABLE_BUILD: u16 = 20348;

/// Matches platforms against an ordered list of acceptable ones, by containerd's rules.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// Normalised, the best first.
    accepted: Vec<Platform>,
}

impl Matcher {
    /// What can run on a platform: itself, then older variants of its architecture, then its 32-bit companion (386 for
    /// amd64, arm for arm64).
    pub fn only(platform: &Platform) -> Self {
        let accepted = compatible(platform.normalized()).into_iter().map(|platform| platform.normalized()).collect();
        Self { accepted }
    }

    /// One platform, however it is spelled, and nothing that would merely run there.
    pub fn strict(platform: &Platform) -> Self {
        Self { accepted: vec![platform.normalized()] }
    }

    /// What can run here, where the level of an amd64 CPU counts.
    pub fn host() -> Self {
        Self::only(&Platform::of_cpu())
    }

    /// Whether a platform is acceptable.
    pub fn matches(&self, platform: &Platform) -> bool {
        self.rank(platform).is_some()
    }

    /// How good a platform is: 0 is the best, `None` is no match. What ranks equal is equally good.
    pub fn rank(&self, platform: &Platform) -> Option<usize> {
        let (os, architecture, variant) = platform.canonical();
        let features = platform.sorted_features();
        self.accepted.iter().position(|accepted| {
            accepted.os == os
                && accepted.architecture == architecture
                && accepted.variant.as_deref().unwrap_or_default() == variant
                && accepts_version(accepted, platform)
                && features.iter().all(|feature| accepted.os_features.iter().any(|offered| offered == feature))
        })
    }
}

/// The platform (normalised), then what else its hardware runs, the best first.
fn compatible(platform: Platform) -> Vec<Platform> {
    let mut accepted = vec![platform.clone()];
    let add = |accepted: &mut Vec<Platform>, architecture: &str, variant: String| {
        let platform = Platform { architecture: architecture.to_owned(), ..platform.clone() };
        accepted.push(platform.with_variant(variant));
    };
    let variant = platform.variant.as_deref();
    match platform.architecture.as_str() {
        "amd64" => {
            for older in versions_below(variant.and_then(version), 1) {
                add(&mut accepted, "amd64", older);
            }
            add(&mut accepted, "386", String::new());
        }
        "arm" => {
            for older in versions_below(variant.and_then(version), 5) {
                add(&mut accepted, "arm", older);
            }
        }
        "arm64" => {
            for older in arm64_below(variant.unwrap_or("v8")) {
                add(&mut accepted, "arm64", older);
            }
            // Every 64-bit Arm with a dotted version is a v8 to 32-bit code.
            let arm = match variant {
                Some(variant) if !variant.starts_with("v8.") && !variant.starts_with("v9.") => variant,
                _ => "v8",
            };
            add(&mut accepted, "arm", arm.to_owned());
            for older in versions_below(version(arm), 5) {
                add(&mut accepted, "arm", older);
            }
        }
        _ => {}
    }
    accepted
}

/// The number of a variant (`v7`), if it is one.
fn version(variant: &str) -> Option<u32> {
    variant.strip_prefix('v').unwrap_or(variant).parse().ok().filter(|version| *version <= MAX_VERSION)
}

/// `v6`, `v5` for 7 and a lowest of 5.
fn versions_below(version: Option<u32>, lowest: u32) -> impl Iterator<Item = String> {
    (lowest..version.unwrap_or(lowest)).rev().map(|version| format!("v{version}"))
}

/// The older versions of a 64-bit Arm: v9.N has all of v8.(N+5).
fn arm64_below(variant: &str) -> Vec<String> {
    let (major, minor) = variant.split_once('.').unwrap_or((variant, "0"));
    let (Some(major), Some(minor)) = (version(major), version(minor)) else { return Vec::new() };
    let below = |major: u32, minor: u32| {
        (0..minor).rev().map(move |minor| match minor {
            0 => format!("v{major}"),
            minor => format!("v{major}.{minor}"),
        })
    };
    match major {
        9 => below(9, minor).chain(below(8, minor + 6)).collect(),
        8.. => below(major, minor).collect(),
        _ => Vec::new(),
    }
}

/// Only Windows images depend on the version of the operating system, and only where both sides give one.
fn accepts_version(accepted: &Platform, platform: &Platform) -> bool {
    if accepted.os != "windows" {
        return true;
    }
    let (Some(host), Some(image)) = (&accepted.os_version, &platform.os_version) else { return true };
    let Some((host, host_build)) = windows_version(host) else { return true };
    let Some((image, image_build)) = windows_version(image) else { return false };
    host == image
        && if host_build < WINDOWS_STABLE_BUILD {
            host_build == image_build
        } else {
            (WINDOWS_STABLE_BUILD..=host_build).contains(&image_build)
        }
}

/// Major and minor version, and the build, of `10.0.17763` and `10.0.17763.1`.
fn windows_version(text: &str) -> Option<((u8, u8), u16)> {
    let mut parts = text.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    let build = parts.next()?.parse().ok()?;
    Some(((major, minor), build))
}
