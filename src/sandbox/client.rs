//! What a double posts with: to this machine, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use url::{Host, Url};

pub(super) fn is_loopback(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    is_here && url.scheme() == "http"
}

/// reqwest insists on a TLS configuration even for plain HTTP. This one trusts nobody, and leaves the
/// choice of a process-wide crypto provider to whoever runs the sandbox.
#[expect(
    clippy::disallowed_methods,
    reason = "a double is no part of the product: it has a client of its own"
)]
pub(super) fn of(timeout: Duration) -> Result<reqwest::Client, Box<dyn std::error::Error + Send + Sync>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(timeout)
        .build()?)
}
