//! What an issuers file may say, and what stops the start.

use super::*;

/// A file as an operator would write it, before a test bends it.
fn sound() -> Value {
    json!({
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "algorithms": ["ES256", "EdDSA"],
        "keys": { "jwks_url": "https://id.example.com/jwks.json" },
        "tenants": { "claim": "stellwerk_tenant", "allowed": [ACME] },
        "role_map": { "desk": "admin" },
    })
}

fn bent(name: &str, value: Value) -> Value {
    let mut file = sound();
    file[name] = value;
    file
}

fn load_text(issuers: &[Value]) -> Result<Vec<IssuerConfig>, IssuerConfigError> {
    load(&KeyFile::of(&json!(issuers)).0)
}

fn refusal(issuer: Value) -> String {
    load_text(&[issuer]).expect_err("refused").to_string()
}

#[test]
fn a_short_file_gets_the_documented_defaults() {
    let configs = load_text(&[sound()]).expect("sound");

    let [config] = configs.as_slice() else { panic!("one issuer") };
    assert_eq!((config.subject_claim.as_str(), config.role_claim.as_str()), ("sub", "stellwerk_role"));
    assert_eq!(config.leeway, Duration::from_secs(30));
    assert_eq!(config.algorithms, [Algorithm::ES256, Algorithm::EdDSA]);
    assert_eq!(config.role_map.get("desk"), Some(&JwtRole::Admin));
    assert!(matches!(&config.keys, KeySource::JwksUrl { ttl, .. } if *ttl == Duration::from_secs(600)));
}

#[test]
fn keys_and_tenants_come_in_every_documented_form() {
    let file = bent("keys", json!({ "jwks_file": "jwks.json" }));
    let pem = bent("keys", json!({ "pem": [{ "kid": "a", "public_key": "-----BEGIN PUBLIC KEY-----" }] }));
    let fixed = bent("tenants", json!({ "fixed": ACME }));

    let source = |issuer| load_text(&[issuer]).expect("sound").remove(0);
    assert!(matches!(source(file).keys, KeySource::JwksFile(path) if path.ends_with("jwks.json")));
    assert!(matches!(source(pem).keys, KeySource::Pem(keys) if keys[0].kid.as_deref() == Some("a")));
    assert!(matches!(source(fixed).tenants, TenantRule::Fixed(ACME)));
}

#[test]
fn what_would_believe_too_much_or_nobody_is_refused_by_name() {
    let id = "https://id.example.com/";

    assert_eq!(refusal(bent("issuer", json!(""))), "an issuer has no name");
    assert_eq!(refusal(bent("audiences", json!([]))), format!("issuer {id} has no audience"));
    assert_eq!(refusal(bent("audiences", json!([""]))), format!("issuer {id} has no audience"));
    assert_eq!(refusal(bent("algorithms", json!([]))), format!("issuer {id} has no algorithm"));
    assert_eq!(refusal(bent("role_map", json!({}))), format!("issuer {id} maps nothing to a role"));
    assert_eq!(refusal(bent("role_claim", json!(""))), format!("issuer {id} has a claim without a name"));
    let no_tenant = format!("issuer {id} may speak for no tenant");
    assert_eq!(refusal(bent("tenants", json!({ "claim": "tenant", "allowed": [] }))), no_tenant);
    assert_eq!(refusal(bent("tenants", json!({ "fixed": Uuid::nil() }))), no_tenant);
}

#[test]
fn shared_secrets_and_unsigned_tokens_cannot_be_configured() {
    for name in ["HS256", "HS384", "HS512", "none", "None", "es256", ""] {
        let text = refusal(bent("algorithms", json!(["ES256", name])));
        assert_eq!(
            text,
            format!("issuer {ISSUER} lists {name}; only RS*, PS*, ES256, ES384 and EdDSA are allowed")
        );
    }
}

#[test]
fn operators_and_services_cannot_be_minted() {
    for role in ["operator", "service", "Admin", "root"] {
        let text = refusal(bent("role_map", json!({ "desk": role })));
        assert_eq!(
            text,
            format!("issuer {ISSUER} maps to {role}; only admin, hr, practitioner and patient can be minted")
        );
    }
}

#[test]
fn an_issuer_is_listed_once() {
    let twice = load_text(&[sound(), sound()]).expect_err("refused");

    assert!(matches!(twice, IssuerConfigError::DuplicateIssuer(issuer) if issuer == ISSUER));
}

#[test]
fn times_and_urls_stay_within_reason() {
    let keys = |url: &str, ttl: u64| bent("keys", json!({ "jwks_url": url, "ttl_seconds": ttl }));

    assert!(refusal(bent("leeway_seconds", json!(301))).ends_with("leeway of more than five minutes"));
    for ttl in [0, 29, 86_401] {
        assert!(refusal(keys("https://id.example.com/", ttl)).ends_with("between 30 seconds and a day"));
    }
    for url in ["file:///etc/hostname", "https://max@id.example.com/"] {
        assert!(refusal(keys(url, 600)).contains("JWKS URL"), "{url}");
    }
}

#[test]
fn unknown_and_missing_fields_are_refused() {
    let malformed = "the issuers file does not have the expected form";

    assert_eq!(refusal(bent("audience", json!("stellwerk"))), malformed);
    assert_eq!(refusal(bent("keys", json!({ "jwks_url": "https://a.example.com/", "pem": [] }))), malformed);
    assert_eq!(refusal(bent("tenants", json!({ "fixed": ACME, "allowed": [] }))), malformed);
    assert_eq!(refusal(bent("tenants", json!("*"))), malformed);
    for required in ["issuer", "audiences", "algorithms", "keys", "tenants", "role_map"] {
        let mut file = sound();
        file.as_object_mut().expect("an object").remove(required);
        assert_eq!(refusal(file), malformed, "{required}");
    }
    let missing = load(&std::env::temp_dir().join("stellwerk-test-no-such-file.json"));
    assert!(matches!(missing, Err(IssuerConfigError::Unreadable(_))));
}

#[test]
fn keys_that_cannot_be_used_stop_the_start() {
    let problem = |keys| match Issuers::new(vec![super::config(keys)], egress(None)) {
        Err(IssuerConfigError::Keys { problem, .. }) => problem,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    };
    let fixed = |text: &str| problem(KeySource::Pem(vec![pem(Some("a"), text)]));
    let private = PUBLIC_ES256.replace("PUBLIC", "PRIVATE");

    assert_eq!(problem(KeySource::Pem(Vec::new())), KeyProblem::NoKey);
    assert_eq!(fixed("words"), KeyProblem::NotAPublicKey);
    assert_eq!(fixed(&private), KeyProblem::NotAPublicKey);
    assert_eq!(fixed(PUBLIC_RSA_SHORT), KeyProblem::RsaSize);
    let gone = KeyFile::of(&json!([])).source();
    assert_eq!(problem(gone), KeyProblem::Unreadable(std::io::ErrorKind::NotFound));
    let file = KeyFile::of(&json!([]));
    assert_eq!(problem(file.source()), KeyProblem::NotASet);
}

#[test]
fn a_hand_made_configuration_is_checked_too() {
    let source = KeySource::Pem(vec![pem(None, PUBLIC_ES256)]);
    let nobody = IssuerConfig { audiences: Vec::new(), ..super::config(source) };

    let refused = Issuers::new(vec![nobody], egress(None)).map(|_| ()).expect_err("refused");

    assert!(matches!(refused, IssuerConfigError::NoAudience(_)));
}
