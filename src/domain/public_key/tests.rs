use super::*;

macro_rules! key {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/verify/keys/", $name, ".pem"))
    };
}

#[test]
fn keys_and_certificates_are_read() {
    for (pem, algorithm) in [
        (key!("p256"), KeyAlgorithm::EcdsaP256),
        (key!("p384"), KeyAlgorithm::EcdsaP384),
        (key!("p521"), KeyAlgorithm::EcdsaP521),
        (key!("ed25519"), KeyAlgorithm::Ed25519),
        (key!("rsa2048"), KeyAlgorithm::Rsa),
    ] {
        assert_eq!(PublicKey::from_pem(pem).unwrap().algorithm(), algorithm);
    }
    assert_eq!(PublicKey::from_pem(key!("p256-certificate")).unwrap(), PublicKey::from_pem(key!("p256")).unwrap());
    assert_eq!(PublicKey::from_pem(key!("rsa2048-pkcs1")).unwrap(), PublicKey::from_pem(key!("rsa2048")).unwrap());
}

#[test]
fn what_is_no_usable_key_is_refused() {
    let twice = key!("p256").repeat(2);
    let cut = key!("p256").replace("MFkw", "");
    let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----";
    for (text, words) in [
        ("", "in PEM is expected"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n", "in PEM is expected"),
        ("-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----", "in PEM is expected"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "malformed"),
        (private, "PRIVATE KEY"),
        (&twice, "more follows"),
        (&cut, "malformed"),
        (key!("rsa1024"), "1024"),
        (key!("secp256k1"), "not supported"),
        (&" ".repeat(MAX_PEM + 1), "at most"),
    ] {
        let error = PublicKey::from_pem(text).unwrap_err();
        assert!(error.to_string().contains(words), "{text:.40}: {error}");
    }
}
