use super::*;

#[test]
fn networks_hosts_and_mirrors_are_told_apart() {
    let settings = Settings {
        insecure_registries: ["10.0.0.0/8", "localhost:5000", "127.0.0.0/8", "10.0.0.0/64"].map(str::to_owned).into(),
        registry_mirrors: vec!["https://mirror.example/".to_owned()],
        ..Settings::default()
    };
    let config = serde_json::to_value(RegistryServiceConfig::new(&settings, &SystemShape::NEWEST)).unwrap();
    let insecure = |name| serde_json::json!({"Name": name, "Mirrors": [], "Secure": false, "Official": false});
    assert_eq!(
        config,
        serde_json::json!({
            "InsecureRegistryCIDRs": ["::1/128", "127.0.0.0/8", "10.0.0.0/8"],
            "IndexConfigs": {
                "docker.io": {
                    "Name": "docker.io", "Mirrors": ["https://mirror.example/"], "Secure": true, "Official": true,
                },
                "localhost:5000": insecure("localhost:5000"),
                "10.0.0.0/64": insecure("10.0.0.0/64"),
            },
            "Mirrors": ["https://mirror.example/"],
        })
    );
}
