//! What this process runs on, in Go's words.

use std::sync::LazyLock;

/// The operating system.
pub(super) const OS: &str = match std::env::consts::OS.as_bytes() {
    b"macos" => "darwin",
    _ => std::env::consts::OS,
};

/// The architecture, and the variant of the CPU: the version of an Arm, the level of an amd64; of others an empty text.
pub(super) fn cpu() -> (&'static str, &'static str) {
    static CPU: LazyLock<(&str, &str)> = LazyLock::new(detect);
    *CPU
}

fn detect() -> (&'static str, &'static str) {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "loongarch64" => "loong64",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        "mips64" if cfg!(target_endian = "little") => "mips64le",
        "mips" if cfg!(target_endian = "little") => "mipsle",
        other => other,
    };
    let variant = match architecture {
        "amd64" => amd64_level(),
        "arm64" => "v8",
        "arm" => arm_version(&rustix::system::uname().machine().to_string_lossy()),
        _ => "",
    };
    (architecture, variant)
}

/// The version of an Arm from the kernel's name of the machine: `armv7l`, or `aarch64` where a 32-bit process runs on a
/// 64-bit kernel. What is not known is taken for the usual one.
fn arm_version(machine: &str) -> &'static str {
    match machine.to_ascii_lowercase().as_str() {
        "aarch64" => "v8",
        machine if machine.starts_with("armv8") => "v8",
        machine if machine.starts_with("armv6") => "v6",
        machine if machine.starts_with("armv5") => "v5",
        _ => "v7",
    }
}

/// The microarchitecture level of the x86-64 psABI that the CPU has.
#[cfg(target_arch = "x86_64")]
fn amd64_level() -> &'static str {
    use std::arch::is_x86_feature_detected as has;
    let v2 = has!("cmpxchg16b") && has!("popcnt") && has!("sse3") && has!("ssse3") && has!("sse4.1") && has!("sse4.2");
    let v3 = v2
        && has!("avx")
        && has!("avx2")
        && has!("bmi1")
        && has!("bmi2")
        && has!("f16c")
        && has!("fma")
        && has!("lzcnt")
        && has!("movbe")
        && has!("xsave");
    let v4 = v3 && has!("avx512f") && has!("avx512bw") && has!("avx512cd") && has!("avx512dq") && has!("avx512vl");
    match (v2, v3, v4) {
        (_, _, true) => "v4",
        (_, true, _) => "v3",
        (true, _, _) => "v2",
        _ => "v1",
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn amd64_level() -> &'static str {
    "v1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_name_of_an_arm_tells_its_version() {
        for (machine, version) in
            [("armv7l", "v7"), ("armv6l", "v6"), ("armv5tel", "v5"), ("armv8l", "v8"), ("aarch64", "v8"), ("x", "v7")]
        {
            assert_eq!(arm_version(machine), version);
        }
    }
}
