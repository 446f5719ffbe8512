use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn naming<const N: usize, const M: usize>(insecure: [&str; N], services: [&str; M]) -> Naming {
    let insecure = insecure.iter().map(|text| text.parse().unwrap()).collect();
    Naming::new(Policy::new(insecure), services.iter().map(|text| text.parse().unwrap()).collect())
}

#[test]
fn a_registry_cannot_send_the_daemon_anywhere() {
    let naming = naming(["10.0.0.0/8"], []);
    for (home, target, allowed) in [
        ("https://reg.example", "https://cdn.example/blob?sig=1", true),
        ("https://reg.example", "http://cdn.example/blob", false),
        ("https://reg.example", "http://reg.example/blob", false),
        ("https://reg.example", "https://169.254.169.254/latest", false),
        ("https://reg.example", "https://127.0.0.1/", false),
        ("https://reg.example", "http://127.0.0.1/", false),
        ("https://reg.example", "https://a.localhost/", false),
        ("https://reg.example", "https://[fe80::1]/", false),
        ("https://reg.example", "http://10.0.0.1/", true),
        ("https://reg.example", "https://user:pass@cdn.example/", false),
        ("https://reg.example", "ftp://cdn.example/", false),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5001/x", true),
        ("http://127.0.0.1:5000", "http://cdn.example/x", false),
    ] {
        assert_eq!(naming.may_visit(&url(home), &url(target)).is_ok(), allowed, "{home} to {target}");
    }
}

#[test]
fn a_token_service_is_of_the_registrys_own_site() {
    for (registry, realm, same) in [
        ("https://registry-1.docker.io", "https://auth.docker.io/token", true),
        ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth", true),
        ("https://reg.io", "https://reg.io.evil/token", false),
        ("https://reg.io", "https://evilreg.io/token", false),
        ("https://a.foo.co.uk", "https://b.foo.co.uk", true),
        ("https://foo.co.uk", "https://bar.co.uk", false),
        ("https://10.0.0.1:5000", "https://10.0.0.1:5001", true),
        ("https://10.0.0.1:5000", "https://11.0.0.1:5000", false),
        ("https://registry", "https://evil", false),
        ("https://registry.foo.io", "https://auth.foo.io", true),
        ("https://registry.corp.internal", "https://auth.corp.internal", true),
        ("https://registry.internal", "https://auth.internal", false),
        // Tenants of one host know nothing of each other.
        ("https://ann.github.io", "https://bob.github.io", false),
        ("https://registry.ann.github.io", "https://auth.ann.github.io", true),
        ("https://ann.github.io", "https://github.io", false),
        ("https://ann.blob.core.windows.net", "https://bob.blob.core.windows.net", false),
        ("https://ann.herokuapp.com", "https://bob.herokuapp.com", false),
        ("https://ann.ngrok.io", "https://bob.ngrok.io", false),
        ("https://co.uk", "https://foo.co.uk", false),
        ("https://[2001:db8::1]", "https://[2001:db8::2]", false),
        ("https://1.2.3.4.example", "https://9.2.3.4.example", true),
    ] {
        assert_eq!(same_site(&url(registry), &url(realm)), same, "{registry} and {realm}");
    }
}

#[test]
fn what_a_registry_behind_a_proxy_says_of_itself_is_asked_over_tls() {
    let naming = naming([], []);
    for (home, said, meant) in [
        ("https://reg.example", "http://reg.example/token", "https://reg.example/token"),
        ("https://reg.example", "http://REG.example./token", "https://reg.example./token"),
        ("https://reg.example:5000", "http://reg.example:5000/token", "https://reg.example:5000/token"),
        ("https://reg.example:5000", "http://reg.example/token", "https://reg.example/token"),
        ("https://127.0.0.1:5000", "http://127.0.0.1:5000/token", "https://127.0.0.1:5000/token"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000/token", "http://127.0.0.1:5000/token"),
    ] {
        let home = url(home);
        let realm = naming.realm(&home, said).unwrap();
        assert_eq!((realm.url.as_str(), realm.own), (meant, true), "{home}");
        assert_eq!(naming.place(&home, &home, said).unwrap().as_str(), meant, "{home}");
    }
    for said in ["http://reg.example:8080/token", "http://auth.example/token", "http://sub.reg.example/token"] {
        assert!(naming.realm(&url("https://reg.example"), said).unwrap_err().contains("not encrypted"), "{said}");
    }
}

#[test]
fn the_next_page_is_asked_of_the_registry_itself() {
    let naming = naming([], []);
    let page = |base: &str, at: &str, link: &str| naming.next_page(&url(base), &url(at), link).map(String::from);
    let at = "https://reg.example/v2/a/tags/list?n=2";
    for link in [
        "/v2/a/tags/list?n=2&last=x",
        "list?n=2&last=x",
        "https://reg.example/v2/a/tags/list?n=2&last=x",
        "http://reg.example/v2/a/tags/list?n=2&last=x",
        "http://registry:5000/v2/a/tags/list?n=2&last=x#f",
        "https://10.0.0.7/v2/a/tags/list?n=2&last=x",
        "https://user:pass@evil.example/v2/a/tags/list?n=2&last=x",
    ] {
        let next = page("https://reg.example/", at, link).unwrap();
        assert_eq!(next, "https://reg.example/v2/a/tags/list?n=2&last=x", "{link}");
    }
    let (mirror, at) = ("https://m.example/hub/", "https://m.example/hub/v2/a/tags/list");
    for link in ["https://registry-1.docker.io/v2/a/tags/list?last=x", "https://m.example/hub/v2/a/tags/list?last=x"] {
        assert_eq!(page(mirror, at, link).unwrap(), "https://m.example/hub/v2/a/tags/list?last=x");
    }
    for link in ["ftp://reg.example/x", "data:text/plain,x", "https://user@reg.example/x", "http://["] {
        assert!(page("https://reg.example/", "https://reg.example/v2/a/tags/list", link).is_err(), "{link}");
    }
}

#[test]
fn a_token_service_of_another_domain_needs_to_be_allowed() {
    let naming = naming([], ["reg.example=auth.cloud.test", "docker.io=hub-auth.test:8443", "r.example:5000=a.test"]);
    for (home, realm, own) in [
        ("https://reg.example", "https://auth.cloud.test/token", true),
        ("https://reg.example", "https://auth.cloud.test:8443/token", false),
        ("https://reg.example:5000", "https://auth.cloud.test/token", false),
        ("https://other.example", "https://auth.cloud.test/token", false),
        ("https://reg.example", "https://cloud.test/token", false),
        ("https://registry-1.docker.io", "https://hub-auth.test:8443/token", true),
        ("https://registry-1.docker.io", "https://hub-auth.test/token", false),
        ("https://r.example:5000", "https://a.test/token", true),
        ("https://r.example", "https://a.test/token", false),
    ] {
        assert_eq!(naming.realm(&url(home), realm).unwrap().own, own, "{home} and {realm}");
    }
    for text in ["", "=", "a", "a=", "=b", "https://a=b", "a=b/c", "a=b=c?", "a=u@b", "a b=c"] {
        let error = text.parse::<TokenService>().unwrap_err();
        assert!(error.public().ends_with("write REGISTRY=HOST"), "{text}: {error}");
    }
}
