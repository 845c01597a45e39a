//! Real listeners on loopback; what the names resolve to is invented where a test needs it. Holds P2 and P13.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::header::{HeaderValue, LOCATION};
use axum::response::IntoResponse;
use axum::{Router, routing};
use futures::stream;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

/// A real HTTP server on a free loopback port, gone with the value.
struct Server {
    port: u16,
    serving: JoinHandle<()>,
}

impl Server {
    async fn start(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") });
        Self { port, serving }
    }

    fn url(&self, path: &str) -> Url {
        url(&format!("http://127.0.0.1:{}{path}", self.port))
    }

    fn entry(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn url(text: &str) -> Url {
    text.parse().expect("a URL")
}

fn allowing(entries: &[&str]) -> EgressConfig {
    let allow_private = entries.iter().map(|entry| entry.parse().expect("an entry")).collect();
    EgressConfig { allow_private, ..EgressConfig::default() }
}

fn egress(entries: &[&str]) -> Egress {
    Egress::new(allowing(entries)).expect("a client")
}

/// An egress for which every name resolves to these addresses; counts the look-ups.
fn resolving_to(addresses: &[&str], entries: &[&str]) -> (Egress, Arc<AtomicUsize>) {
    let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().expect("an address")).collect();
    let lookups = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&lookups);
    let lookup: Lookup = Arc::new(move |_name| {
        counted.fetch_add(1, Ordering::SeqCst);
        let found = addresses.clone();
        Box::pin(async move { Ok(found) })
    });
    (Egress::with_lookup(allowing(entries), lookup).expect("a client"), lookups)
}

async fn refusal(egress: &Egress, text: &str) -> EgressError {
    egress.get(&url(text)).await.expect_err("refused")
}

#[tokio::test]
async fn loopback_is_refused_without_a_connection() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("nonblocking");
    let port = listener.local_addr().expect("bound").port();
    let egress = egress(&[]);

    let by_address = refusal(&egress, &format!("https://127.0.0.1:{port}/")).await;
    let by_name = refusal(&egress, &format!("https://localhost:{port}/")).await;
    let by_odd_spelling = refusal(&egress, &format!("https://0x7f.1:{port}/")).await;
    let in_disguise = refusal(&egress, &format!("https://[::ffff:127.0.0.1]:{port}/")).await;

    assert_eq!([by_address, by_name, by_odd_spelling, in_disguise], [EgressError::AddressRefused; 4]);
    let knock = listener.accept().expect_err("nobody came");
    assert_eq!(knock.kind(), io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_listed_host_may_speak_plain_http() {
    let server = Server::start(Router::new().route("/keys", routing::get(|| async { "hello" }))).await;

    let fetched = egress(&[&server.entry()]).get(&server.url("/keys")).await.expect("an answer");

    assert_eq!((fetched.status, fetched.body.as_ref()), (StatusCode::OK, b"hello".as_ref()));
}

#[tokio::test]
async fn a_listing_is_for_its_port_only() {
    let server = Server::start(Router::new()).await;
    let other = Server::start(Router::new()).await;
    let egress = egress(&[&server.entry()]);

    let plain = egress.get(&other.url("/")).await.expect_err("refused");
    let secure = refusal(&egress, &format!("https://127.0.0.1:{}/", other.port)).await;

    assert_eq!((plain, secure), (EgressError::NotHttps, EgressError::AddressRefused));
}

#[tokio::test]
async fn a_listed_network_opens_its_addresses() {
    let server = Server::start(Router::new().route("/", routing::get(|| async { "hello" }))).await;

    let inside = egress(&["127.0.0.0/8"]).get(&server.url("/")).await.map(|fetched| fetched.status);
    let outside = egress(&["10.0.0.0/8"]).get(&server.url("/")).await.map(|fetched| fetched.status);

    assert_eq!(inside, Ok(StatusCode::OK));
    assert_eq!(outside, Err(EgressError::NotHttps));
}

#[tokio::test]
async fn a_name_that_leads_into_a_listed_network_still_needs_https() {
    let server = Server::start(Router::new()).await;
    let (egress, lookups) = resolving_to(&["127.0.0.1"], &["127.0.0.0/8"]);

    let plain = refusal(&egress, &format!("http://idp.internal:{}/", server.port)).await;
    assert_eq!((plain, lookups.load(Ordering::SeqCst)), (EgressError::NotHttps, 0));

    // The server speaks no TLS: getting as far as a handshake shows that the address was let through.
    let secure = refusal(&egress, &format!("https://idp.internal:{}/", server.port)).await;
    assert_eq!((secure, lookups.load(Ordering::SeqCst)), (EgressError::Tls, 1));
}

#[tokio::test]
async fn only_https_is_spoken_to_strangers() {
    let (egress, lookups) = resolving_to(&["1.1.1.1"], &[]);

    assert_eq!(refusal(&egress, "http://api.example.com/").await, EgressError::NotHttps);
    assert_eq!(refusal(&egress, "http://1.1.1.1/").await, EgressError::NotHttps);
    assert_eq!(refusal(&egress, "ftp://api.example.com/").await, EgressError::UrlRefused);
    assert_eq!(refusal(&egress, "file:///etc/hostname").await, EgressError::UrlRefused);
    assert_eq!(lookups.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_url_with_a_user_name_is_refused() {
    let egress = egress(&["localhost"]);

    assert_eq!(refusal(&egress, "https://erika@localhost/").await, EgressError::UrlRefused);
    assert_eq!(refusal(&egress, "https://:word@localhost/").await, EgressError::UrlRefused);
}

#[tokio::test]
async fn a_name_on_both_sides_is_refused() {
    let addresses = ["1.1.1.1", "127.0.0.1"];

    for entries in [&[][..], &["127.0.0.0/8"], &["two-faced.example.com"]] {
        let (egress, _) = resolving_to(&addresses, entries);
        let refused = refusal(&egress, "https://two-faced.example.com/").await;
        assert_eq!(refused, EgressError::AddressRefused, "{entries:?}");
    }
}

#[tokio::test]
async fn metadata_is_refused_even_behind_a_listed_name() {
    for address in ["169.254.169.254", "fd00:ec2::254", "::ffff:10.0.0.1", "64:ff9b::a00:1"] {
        let (egress, _) = resolving_to(&[address], &["idp.internal"]);
        let refused = refusal(&egress, "http://idp.internal/").await;
        assert_eq!(refused, EgressError::AddressRefused, "{address}");
    }
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_connected_to() {
    let server = Server::start(Router::new().route("/", routing::get(|| async { "hello" }))).await;
    let entry = format!("idp.internal:{}", server.port);
    let (egress, lookups) = resolving_to(&["127.0.0.1"], &[&entry]);

    let fetched = egress.get(&url(&format!("http://idp.internal:{}/", server.port))).await;

    // No resolver knows that name, so a second look-up by anyone else would have failed.
    assert_eq!(fetched.map(|fetched| fetched.body), Ok(Bytes::from("hello")));
    assert_eq!(lookups.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_redirect_is_handed_back_and_not_followed() {
    let visits = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&visits);
    let router = Router::new()
        .route("/", routing::get(|| async { (StatusCode::FOUND, [(LOCATION, "/inner")]) }))
        .route(
            "/inner",
            routing::get(move || async move { counted.fetch_add(1, Ordering::SeqCst).to_string() }),
        );
    let server = Server::start(router).await;

    let fetched = egress(&[&server.entry()]).get(&server.url("/")).await.expect("an answer");

    assert_eq!(fetched.status, StatusCode::FOUND);
    assert_eq!(fetched.headers.get(LOCATION), Some(&HeaderValue::from_static("/inner")));
    assert_eq!(visits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_body_past_the_bound_is_dropped_whether_announced_or_not() {
    let endless = || async {
        let chunks = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[b'x'; 1000])));
        Body::from_stream(chunks).into_response()
    };
    let router = Router::new()
        .route("/endless", routing::get(endless))
        .route("/exact", routing::get(|| async { "x".repeat(1000) }))
        .route("/announced", routing::get(|| async { "x".repeat(1001) }));
    let server = Server::start(router).await;
    let entry = server.entry();
    let egress = Egress::new(EgressConfig { max_body_bytes: 1000, ..allowing(&[&entry]) }).expect("a client");

    let exact = egress.get(&server.url("/exact")).await.map(|fetched| fetched.body.len());
    let announced = egress.get(&server.url("/announced")).await.map(|fetched| fetched.body.len());
    let endless = egress.get(&server.url("/endless")).await.map(|fetched| fetched.body.len());
    let bounded_further =
        egress.get_at_most(&server.url("/exact"), 999).await.map(|fetched| fetched.body.len());

    assert_eq!(exact, Ok(1000));
    assert_eq!(announced, Err(EgressError::BodyTooLarge { max_bytes: 1000 }));
    assert_eq!(endless, Err(EgressError::BodyTooLarge { max_bytes: 1000 }));
    assert_eq!(bounded_further, Err(EgressError::BodyTooLarge { max_bytes: 999 }));
}

#[tokio::test]
async fn a_silent_server_and_a_stalling_body_both_run_into_the_deadline() {
    let silent = || std::future::pending::<()>();
    let stalling = || async {
        let first = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"hel"))]);
        Body::from_stream(futures::StreamExt::chain(first, stream::pending())).into_response()
    };
    let router =
        Router::new().route("/silent", routing::get(silent)).route("/stalling", routing::get(stalling));
    let server = Server::start(router).await;
    let entry = server.entry();
    let config = EgressConfig { request_timeout: Duration::from_millis(200), ..allowing(&[&entry]) };
    let egress = Egress::new(config).expect("a client");

    for path in ["/silent", "/stalling"] {
        let outcome = egress.get(&server.url(path)).await.map(|fetched| fetched.status);
        assert_eq!(outcome, Err(EgressError::Timeout), "{path}");
    }
}

#[tokio::test]
async fn a_request_may_have_a_deadline_of_its_own_shorter_or_longer() {
    let (release, released) = tokio::sync::watch::channel(false);
    let slow = move || {
        let mut released = released.clone();
        async move {
            released.wait_for(|released| *released).await.expect("released");
            "done"
        }
    };
    let server = Server::start(Router::new().route("/", routing::post(slow))).await;
    let post = || EgressRequest {
        method: Method::POST,
        url: server.url("/"),
        headers: HeaderMap::new(),
        body: Bytes::new(),
    };
    let entry = server.entry();
    let configured = |request_timeout| {
        Egress::new(EgressConfig { request_timeout, ..allowing(&[&entry]) }).expect("a client")
    };
    let (short, long) = (Duration::from_millis(50), Duration::from_secs(60));
    let (hurried, patient) = (configured(short), configured(long));

    let shorter = patient.send_within(post(), short).await.map(|fetched| fetched.body);
    let (longer, ()) = tokio::join!(hurried.send_within(post(), long), async {
        // The configured deadline has passed when another request has run into it.
        assert_eq!(hurried.send(post()).await.map(|fetched| fetched.body), Err(EgressError::Timeout));
        release.send(true).expect("a server");
    });

    assert_eq!(shorter, Err(EgressError::Timeout));
    assert_eq!(longer.map(|fetched| fetched.body), Ok(Bytes::from("done")));
}

#[tokio::test]
async fn what_is_permitted_is_told_without_a_look_up() {
    let (egress, lookups) = resolving_to(&["1.1.1.1"], &["127.0.0.1:81"]);

    let permitted = |text| egress.permits(&url(text));

    assert_eq!(permitted("https://api.example.com/v2"), Ok(()));
    assert_eq!(permitted("http://127.0.0.1:81/v2"), Ok(()));
    assert_eq!(permitted("http://api.example.com/v2"), Err(EgressError::NotHttps));
    assert_eq!(permitted("https://10.0.0.1/v2"), Err(EgressError::AddressRefused));
    assert_eq!(permitted("https://erika@api.example.com/"), Err(EgressError::UrlRefused));
    assert_eq!(lookups.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_request_arrives_with_its_method_headers_and_body() {
    let echo = |headers: HeaderMap, body: String| async move {
        let words = headers.get("x-words").and_then(|value| value.to_str().ok()).unwrap_or_default();
        format!("{words}: {body}")
    };
    let server = Server::start(Router::new().route("/", routing::put(echo))).await;
    let mut headers = HeaderMap::new();
    headers.insert("x-words", HeaderValue::from_static("two words"));
    let request =
        EgressRequest { method: Method::PUT, url: server.url("/"), headers, body: Bytes::from("a body") };

    let fetched = egress(&[&server.entry()]).send(request).await.expect("an answer");

    assert_eq!(fetched.body, Bytes::from("two words: a body"));
}

#[tokio::test]
async fn nothing_that_is_printed_tells_where_it_went() {
    let vacant = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = vacant.local_addr().expect("bound").to_string();
    drop(vacant);
    let target = url(&format!("http://{address}/path?token=hidden"));
    let request = EgressRequest {
        method: Method::POST,
        url: target.clone(),
        headers: HeaderMap::new(),
        body: Bytes::from("hidden"),
    };
    let request_text = format!("{request:?}");

    let error = egress(&[&address]).send(request).await.expect_err("nobody listens");

    assert_eq!(error, EgressError::Unreachable(io::ErrorKind::ConnectionRefused));
    assert_eq!(error.to_string(), "the host could not be reached: connection refused");
    assert!(error.source().is_none());
    assert!(!request_text.contains("hidden"), "{request_text}");
}

#[tokio::test]
async fn an_unknown_name_says_so() {
    let lookup: Lookup = Arc::new(|_| Box::pin(async { Err(io::Error::other("no such name")) }));
    let egress = Egress::with_lookup(allowing(&[]), lookup).expect("a client");

    assert_eq!(refusal(&egress, "https://nowhere.example.com/").await, EgressError::NameUnresolved);
}

#[test]
fn installing_the_provider_twice_is_no_error() {
    install_crypto();
    install_crypto();

    assert!(rustls::crypto::CryptoProvider::get_default().is_some());
}
