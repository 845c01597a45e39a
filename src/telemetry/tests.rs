//! Logs through the real set-up into memory, in both formats, and reads what came out. Holds P10.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, Mutex},
};

use proptest::prelude::*;
use tracing_subscriber::EnvFilter;

use super::{
    LogFormat::{Json, Text},
    *,
};

/// Words that must not survive, each inside a text that carries it.
pub(super) const SECRETS: &[(&str, &str)] = &[
    ("Authorization: Bearer abcDEF123.tail-9", "abcDEF123.tail-9"),
    ("authorization: Bearer onlysmallletters", "onlysmallletters"),
    (r#"("authorization", "Bearer zXc0987")"#, "zXc0987"),
    ("authorization=Basic dXNlcjpwdw==", "dXNlcjpwdw"),
    ("key swk_Ab12Cd34_s3cretPart-x_y is new", "s3cretPart-x_y"),
    ("key swk_short_s3cr was refused", "s3cr"),
    ("new_swk_Ab12Cd34_afterUnderscore1", "afterUnderscore1"),
    ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "C2FVsBQIhrscChlQIMV"),
    ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "b5sSYspob7oD"),
    ("jwt eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2lnbmF0dXJl!", "eyJzdWIiOiJhIn0"),
    ("jwt eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2lnbmF0dXJl!", "c2lnbmF0dXJl"),
    ("alg none: eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.", "eyJzdWIiOiJhIn0"),
    ("spaced header ewogICJhbGciOiAi.eyJzdWIiOiJhIn0.c2ln", "eyJzdWIiOiJhIn0"),
    ("POST /api/webhooks/booking/Zk3-endpointToken_7 404", "Zk3-endpointToken_7"),
    ("POST http://127.0.0.1:8081/api/webhooks/booking/Zk3token?x=1", "Zk3token"),
    ("next=%2Fapi%2Fwebhooks%2Fbooking%2FZk3encoded", "Zk3encoded"),
    ("x-signature: sha256=0a1B2c3d4e5f", "0a1B2c3d4e5f"),
    (
        "webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9 v1,anotherSignature0000000=",
        "K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9",
    ),
    (
        "webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9 v1,anotherSignature0000000=",
        "anotherSignature0000000",
    ),
    ("x-signature: 4bF0c2d3e4f5a6b7", "4bF0c2d3e4f5a6b7"),
    ("postgres://stellwerk:pass-W0rd@db.example.org/x", "pass-W0rd"),
    ("postgres://u:p@ss@db/x", "ss@"),
    ("postgres://u:one@db1,postgres://u:two2@db2", "two2"),
    ("redis://:onlyPw@cache:6379", "onlyPw"),
    ("host=/run user=app password=hunter2 dbname=x", "hunter2"),
    ("host=/run password='with space' dbname=x", "space"),
    ("body {\"client_secret\":\"cs-12345\",\"a\":1}", "cs-12345"),
    (r#"body {"token" : "a\"quoted\"part"}"#, "part"),
    (r#"body "{\"token\":\"escaped-77\"}""#, "escaped-77"),
    (r#"body "{\"token\":\"twice\\\"escaped-78\"}""#, "escaped-78"),
    ("Config { root_key: Some(\"deadBeef\"), port: 1 }", "deadBeef"),
    ("Config { token: Some(unquoted99) }", "unquoted99"),
    ("refresh_token=rt-1&grant_type=x", "rt-1"),
    ("x-api-key: k9876543210z", "k9876543210z"),
    ("GET /cb?code=4/abc-def&state=st4te#frag", "4/abc-def"),
    ("GET /cb?code=4/abc-def&state=st4te#frag", "st4te"),
    ("code=first1&state=second2", "first1"),
    ("code=first1&state=second2", "second2"),
    ("completed with ?completion_code=cc77", "cc77"),
    ("erika.muster+x@praxis.example.org registered", "muster"),
    ("<erika@example.org>", "erika@example"),
    ("no dot: erika@localhost", "erika"),
    ("jörg.müller@bücher.example", "müller"),
    ("a@b.com,booking_email.eq.x@y.de", "booking_email.eq.x"),
    ("a@b.com,booking_email.eq.x@y.de", "b.com"),
    ("\"erika muster\"@example.org", "muster"),
    ("?email=erika%40example.org&name=x", "example.org"),
    ("call +49 (0)30 1234567 today", "1234567"),
    ("call +4930-123-4567", "123-4567"),
    ("tel:%2B49301234567", "49301234567"),
    ("phone=+49 30 7654321", "7654321"),
    ("phone=\"030 7654321\"", "7654321"),
    ("key 00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF", "aabbccdd"),
    ("first line\nerika@example.org", "erika"),
    ("first line\nAuthorization: Bearer afterLineBreak1", "afterLineBreak1"),
    ("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----", "MC4CAQAwBQYDK2Vw"),
    ("-----BEGIN EC PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw and cut", "MC4CAQAwBQYDK2Vw"),
    ("relation \"hidden_table\" does not exist", "hidden_table"),
    ("column hidden.name does not exist", "hidden"),
    ("permission denied for table hidden", "hidden"),
    ("hidden_table is append-only", "hidden_table"),
];

/// What an operator needs to read, to the letter.
const ORDINARY: &[&str] = &[
    "2026-11-20T09:00:00.123456Z  INFO stellwerk::serve: listening on http://127.0.0.1:8080 (gRPC, grpc-web)",
    "2026-11-20T10:00:00+01:00 took 1.5ms, 12.25s, 3h 5m; from 2026-11-20 10:00:00 +01:00 to +00:00",
    "appointment.id=0190a5c4-7b1e-7c3d-8e4f-0123456789ab tenant.id=0190a5c47b1e7c3d8e4f0123456789ab",
    "rpc finished rpc=stellwerk.v1.PatientService/GetPatient code=NOT_FOUND duration_ms=12",
    concat!(
        r#"{"level":"INFO","fields":{"message":"pool","state":"idle","code":"OK","count":3},"#,
        r#""target":"stellwerk::api_key"}"#,
    ),
    r#"{"fields":{"a":"token","@timestamp":"x"},"target":"stellwerk::store::api_key","spans":[]}"#,
    "INFO stellwerk::domain::api_key: revoked; key swk_Ab12Cd34 was last used yesterday",
    "INFO stellwerk::grpc::token::tests: ok",
    "state=running code=7 kind=webhook_retry attempt=3 of 10",
    "a bearer token is missing; basic checks passed; the signature: missing; wrong secret: rotated",
    "route /api/webhooks/{provider}/{endpoint} answered 404; POST /api/webhooks/booking 401",
    "postgres://stellwerk_app@localhost:5432/stellwerk is reachable; v1 and v1alpha reflection, v15.18",
    "http://localhost:8080/path, version 0.3.10+9.0.33, +12 rows, 1 + 1, 1e+10",
    "commit 59807616e1fa2540724bfbac14d7976d7e4a3860, page_size=50, tokens=3, secrets: 2",
    "no table of contents, of a type that is unknown; the index. A column, the function; deadlock detected",
    "canceling statement due to lock timeout; a row violates row-level security; permission denied for them",
    "renewed_value.field of newold_value.other; Größe geändert: 5 °C …",
    "",
];

#[derive(Debug)]
struct Failure(String, Option<Box<Failure>>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|error| error as _)
    }
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What `work` logs, through the set-up of the real process.
fn logged(format: LogFormat, work: impl FnOnce()) -> String {
    let memory = Memory::default();
    let writer = memory.clone();
    let subscriber = subscriber(format, EnvFilter::new("trace"), move || writer.clone());
    tracing::subscriber::with_default(subscriber, work);
    let bytes = memory.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

/// Logs `text` in every way there is.
fn log_everywhere(text: &str) {
    tracing::info!("message: {text}");
    tracing::info!(display = %text, debug = ?text, plain = text, some = ?Some(text), "fields");
    tracing::info_span!("outer", text).in_scope(|| {
        let inner = tracing::info_span!("inner", later = tracing::field::Empty);
        inner.record("later", tracing::field::display(text));
        inner.in_scope(|| tracing::warn!("in spans"));
    });
    log_error("failed", &Failure("outer".into(), Some(Box::new(Failure(text.into(), None)))));
    tracing::debug!(error = &Failure(text.into(), None) as &dyn Error, "as a value");
    tracing::trace!(body = %serde_json::json!({ "inner": text }), "nested");
}

fn assert_json_lines(log: &str) {
    for line in log.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "no JSON any more: {line}");
    }
}

#[test]
fn no_secret_survives_in_a_message_field_span_or_error_chain() {
    for (text, secret) in SECRETS {
        assert!(text.contains(secret), "the table is wrong: {text}");

        let as_text = logged(Text, || log_everywhere(text));
        let as_json = logged(Json, || log_everywhere(text));

        assert!(as_text.lines().count() >= 6 && as_json.contains("in spans"));
        for line in as_text.lines().chain(as_json.lines()) {
            assert!(!line.contains(secret), "{secret:?} of {text:?} is still in: {line}");
        }
        assert_json_lines(&as_json);
    }
}

#[test]
fn ordinary_lines_pass_unchanged() {
    for line in ORDINARY {
        assert_eq!(redact(line), *line);
        assert_eq!(redact_json(line), *line);
        let quoted = serde_json::json!({ "fields": { "message": line, "count": 1 } }).to_string();
        assert_eq!(redact_json(&quoted), quoted);
    }
}

#[test]
fn a_line_without_anything_suspicious_is_not_copied() {
    assert!(matches!(redact(ORDINARY[0]), Cow::Borrowed(_)));
}

#[test]
fn what_is_masked_still_shows_what_was_there() {
    let masked = [
        ("POST /api/webhooks/booking/Zk3token?x=1", "POST /api/webhooks/booking/…?x=1"),
        ("key swk_Ab12Cd34_secret, used", "key swk_Ab12Cd34_…, used"),
        ("postgres://app:pw@db:5432/x", "postgres://app:…@db:5432/x"),
        ("span{token=abc}: stellwerk: ok", "span{token=…}: stellwerk: ok"),
        ("Authorization: Bearer abc", "Authorization: …"),
        ("sent Bearer abc123 twice", "sent Bearer … twice"),
        ("x-signature: sha256=0a1b2c3d", "x-signature: sha256=…"),
        (
            "api_key=swk_Ab12Cd34_secret, api_key=\"swk_Ab12Cd34\"",
            "api_key=swk_Ab12Cd34_…, api_key=\"swk_Ab12Cd34\"",
        ),
        (r#"{"secret":"a\"b","next":1}"#, r#"{"secret":"…","next":1}"#),
        ("written to a@b.de, c@d.de.", "written to …, …."),
        ("call +49 30 123456 or wait", "call +… or wait"),
        ("relation \"patient\" does not exist", "relation \"…\" does not exist"),
        (
            "duplicate key value violates unique constraint \"patient_pkey\"",
            "duplicate key value violates unique constraint \"…\"",
        ),
        (
            "null value in column \"name\" of relation \"patient\" violates not-null constraint",
            "null value in column \"…\" of relation \"…\" violates not-null constraint",
        ),
        (
            r#"DatabaseError(Unknown, "relation \"patient\" gone")"#,
            r#"DatabaseError(Unknown, "relation \"…\" gone")"#,
        ),
        ("column patient.name does not exist", "column … does not exist"),
        ("function stellwerk_claim(integer) does not exist", "function …(integer) does not exist"),
        ("permission denied for table patient", "permission denied for table …"),
        ("must be owner of materialized view patient", "must be owner of materialized view …"),
        ("syntax error at or near \"SELEC\"", "syntax error at or near \"…\""),
        ("webhook_event is append-only", "… is append-only"),
    ];
    for (line, expected) in masked {
        assert_eq!(redact(line), expected);
    }

    let line = concat!(
        r#"{"api_key":"swk_Ab12Cd34_s","phone":"030\" 12","list_token":["a","b"],"#,
        r#""fields":{"m":"to \"a@b.de\""}}"#,
    );
    let expected =
        r#"{"api_key":"swk_Ab12Cd34_…","phone":"…","list_token":["…","…"],"fields":{"m":"to \"…\""}}"#;
    assert_eq!(redact_json(line), expected);
}

#[test]
fn an_error_is_logged_once_with_its_sources_in_order() {
    let error =
        Failure("a".into(), Some(Box::new(Failure("b".into(), Some(Box::new(Failure("c".into(), None)))))));

    let log = logged(Text, || log_error("the page was not stored", &error));

    assert_eq!(log.lines().count(), 1);
    assert!(log.contains("ERROR") && log.ends_with("the page was not stored error=a: b: c\n"), "{log}");
}

#[test]
fn a_filter_that_cannot_be_read_is_refused() {
    assert!(init(Text, "stellwerk=loud").is_err());
}

/// Fragments that meet the rules at their edges: quotes, backslashes, half-finished secrets.
fn tricky() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        proptest::sample::select(SECRETS).prop_map(|(text, _)| text.to_owned()),
        proptest::sample::select(
            &[
                "\\", "\"", "'", "\n", "\u{8}", "\u{1b}", "token=", "@", "://", ":", ",", "…", " ", "u0000",
                "Some("
            ][..]
        )
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(fragment, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_json_line_stays_json(text in tricky()) {
        assert_json_lines(&logged(Json, || log_everywhere(&text)));
    }

    #[test]
    fn an_api_key_never_survives_whatever_stands_around_it(
        before in tricky(), prefix in "[0-9A-Za-z]{8}", secret in "[0-9A-Za-z_-]{20,43}",
        after in "[^0-9A-Za-z_-]?",
    ) {
        let log = logged(Json, || log_everywhere(&format!("{before}swk_{prefix}_{secret}{after}")));

        prop_assert!(!log.contains(&secret), "{}", log);
    }
}
