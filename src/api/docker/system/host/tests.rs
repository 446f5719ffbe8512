use super::*;

#[test]
fn os_release_is_read_with_and_without_quotes() {
    let text = "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID='12'\nID=debian\nEMPTY=\n";
    assert_eq!(field(text, "PRETTY_NAME").unwrap(), "Debian GNU/Linux 12 (bookworm)");
    assert_eq!(field(text, "VERSION_ID").unwrap(), "12");
    assert_eq!(field(text, "ID").unwrap(), "debian");
    assert_eq!(field(text, "EMPTY").unwrap(), "");
    assert_eq!(field(text, "VERSION"), None);
    assert_eq!(field("ID=\"", "ID").unwrap(), "\"");
}

#[test]
fn a_proxys_credentials_are_not_told() {
    for (url, told) in [
        ("", ""),
        ("http://proxy:3128/", "http://proxy:3128/"),
        ("http://me:secret@proxy:3128/a@b", "http://xxxxx:xxxxx@proxy:3128/a@b"),
        ("me:p@ss@proxy:3128", "xxxxx:xxxxx@proxy:3128"),
    ] {
        assert_eq!(without_credentials(url), told);
    }
}

#[test]
fn this_machine_has_the_essentials() {
    let host = Host::here();
    assert!(!host.name.is_empty() && !host.kernel_version.is_empty() && !host.machine.is_empty());
    assert!(host.cpus > 0 && host.memory > 1 << 20);
}
