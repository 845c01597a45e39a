//! The one outgoing HTTP client: deadlines, a bound on bodies, and no way into private networks.
//!
//! Providers, identity providers and tenants name the URLs that are fetched here, so a URL is never trusted:
//! the addresses its host resolves to are checked, and exactly those are connected to. A second look-up
//! between check and connection would let a name point elsewhere in the meantime.

mod address;
mod retry_after;
#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use prost::bytes::{Bytes, BytesMut};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;

pub use address::{AllowedHost, AllowedHostError};
use address::{Reach, literal, reach};
pub use retry_after::retry_after;

/// How the world outside is reached.
#[derive(Clone, Debug)]
pub struct EgressConfig {
    /// Hosts and networks beyond the open internet, by the operator; they may also speak plain http.
    pub allow_private: Vec<AllowedHost>,
    /// For look-up, connection and TLS handshake together.
    pub connect_timeout: Duration,
    /// For the whole exchange, the answer's body included.
    pub request_timeout: Duration,
    /// The largest body of an answer, in bytes.
    pub max_body_bytes: usize,
}

impl Default for EgressConfig {
    fn default() -> Self {
        Self {
            allow_private: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(20),
            max_body_bytes: 4 * 1024 * 1024,
        }
    }
}

/// A request on its way out. Secrets belong in headers and body, which are never printed.
pub struct EgressRequest {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl fmt::Debug for EgressRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.url.host_str().unwrap_or_default();
        f.debug_struct("EgressRequest")
            .field("method", &self.method)
            .field("host", &host)
            .finish_non_exhaustive()
    }
}

/// An answer, of whatever status: a redirect is not followed and a failure is not an error here.
pub struct Fetched {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, body_bytes) = (&self.status, self.body.len());
        f.debug_struct("Fetched")
            .field("status", status)
            .field("body_bytes", &body_bytes)
            .finish_non_exhaustive()
    }
}

/// Why there is no answer. No variant repeats a URL, an address or a body, so each may be shown and logged;
/// for the same reason the HTTP library's error does not ride along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    #[error("the URL is not an http or https URL with a host, or it carries a user name")]
    UrlRefused,
    #[error("only https is allowed for this host")]
    NotHttps,
    #[error("the host is on a network that may not be reached")]
    AddressRefused,
    #[error("the host name could not be resolved")]
    NameUnresolved,
    #[error("the host could not be reached: {0}")]
    Unreachable(io::ErrorKind),
    #[error("no secure connection could be made")]
    Tls,
    /// Whether the request arrived is unknown.
    #[error("the answer took too long")]
    Timeout,
    /// The request arrived; its answer is not kept.
    #[error("the answer is larger than {max_bytes} bytes")]
    BodyTooLarge { max_bytes: usize },
    /// Whether the request arrived is unknown.
    #[error("the exchange broke off")]
    Broken,
    #[error("the HTTP client could not be set up")]
    Setup,
}

/// Makes ring the process's TLS provider; calling it again changes nothing.
///
/// The HTTP library brings none of its own here, so one must be installed before a client is built.
pub fn install_crypto() {
    // The error says that a provider is installed already, which is all we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The one outgoing HTTP client.
///
/// Two clients in truth, with a pool each: a look-up knows the name but not the port, so whether a host is
/// listed is decided before it, from the URL.
#[derive(Clone)]
pub struct Egress {
    allow_private: Arc<[AllowedHost]>,
    /// For hosts that the operator's list names.
    listed: reqwest::Client,
    /// For everybody else.
    public: reqwest::Client,
    max_body_bytes: usize,
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").field("allow_private", &self.allow_private).finish_non_exhaustive()
    }
}

impl Egress {
    /// Fails with [`EgressError::Setup`] when the machine's root certificates cannot be read.
    pub fn new(config: EgressConfig) -> Result<Self, EgressError> {
        Self::with_lookup(config, Arc::new(|name| Box::pin(system_lookup(name))))
    }

    fn with_lookup(config: EgressConfig, lookup: Lookup) -> Result<Self, EgressError> {
        install_crypto();
        let allow_private: Arc<[AllowedHost]> = config.allow_private.clone().into();
        let client = |is_listed| {
            let (lookup, allow_private) = (Arc::clone(&lookup), Arc::clone(&allow_private));
            build(&config, is_listed, Guard { lookup, allow_private, is_listed })
        };
        let (listed, public) = (client(true)?, client(false)?);
        Ok(Self { allow_private, listed, public, max_body_bytes: config.max_body_bytes })
    }

    /// Fetches a URL; the body is bounded by the configuration.
    pub async fn get(&self, url: &Url) -> Result<Fetched, EgressError> {
        self.get_at_most(url, self.max_body_bytes).await
    }

    /// Fetches a URL whose body may not exceed `max_body_bytes`, nor what the configuration allows.
    pub async fn get_at_most(&self, url: &Url, max_body_bytes: usize) -> Result<Fetched, EgressError> {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        let request = EgressRequest { method: Method::GET, url: url.clone(), headers, body };
        self.exchange(request, max_body_bytes.min(self.max_body_bytes), None).await
    }

    /// Sends a request once: nothing is repeated, no redirect followed.
    pub async fn send(&self, request: EgressRequest) -> Result<Fetched, EgressError> {
        self.exchange(request, self.max_body_bytes, None).await
    }

    /// The same with a deadline of its own in place of the configured one, for services known to be slow.
    pub async fn send_within(
        &self,
        request: EgressRequest,
        timeout: Duration,
    ) -> Result<Fetched, EgressError> {
        self.exchange(request, self.max_body_bytes, Some(timeout)).await
    }

    /// Whether a URL may be fetched, as far as that can be told without looking its host up.
    pub fn permits(&self, url: &Url) -> Result<(), EgressError> {
        self.client_for(url).map(drop)
    }

    async fn exchange(
        &self,
        request: EgressRequest,
        max_bytes: usize,
        timeout: Option<Duration>,
    ) -> Result<Fetched, EgressError> {
        let client = self.client_for(&request.url)?;
        let sending = client.request(request.method, request.url).headers(request.headers).body(request.body);
        let sending = match timeout {
            Some(timeout) => sending.timeout(timeout),
            None => sending,
        };
        let mut answer = sending.send().await.map_err(|error| classify(&error))?;

        let too_large = EgressError::BodyTooLarge { max_bytes };
        if answer.content_length().is_some_and(|length| length > max_bytes as u64) {
            return Err(too_large);
        }
        let mut body = BytesMut::new();
        // A length is only a claim, and chunked bodies make none, so what really arrives is counted too.
        while let Some(chunk) = answer.chunk().await.map_err(|error| classify(&error))? {
            if chunk.len() > max_bytes - body.len() {
                return Err(too_large);
            }
            body.extend_from_slice(&chunk);
        }
        let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        Ok(Fetched { status, headers, body: body.freeze() })
    }

    fn client_for(&self, url: &Url) -> Result<&reqwest::Client, EgressError> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EgressError::UrlRefused);
        }
        let is_plain = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => return Err(EgressError::UrlRefused),
        };
        let host = url.host().ok_or(EgressError::UrlRefused)?;
        let port = url.port_or_known_default().ok_or(EgressError::UrlRefused)?;
        let address = literal(&host);

        let is_listed = self.allow_private.iter().any(|allowed| {
            allowed.names(&host, port) || address.is_some_and(|address| allowed.holds(address))
        });
        if is_plain && !is_listed {
            return Err(EgressError::NotHttps);
        }
        // An address in the URL needs no look-up, so the guard at the look-up would never see it.
        match address.map(reach) {
            Some(Reach::Never) => return Err(EgressError::AddressRefused),
            Some(Reach::Private) if !is_listed => return Err(EgressError::AddressRefused),
            Some(Reach::Private | Reach::Public) | None => {}
        }
        Ok(if is_listed { &self.listed } else { &self.public })
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one home of the outgoing client")]
fn build(config: &EgressConfig, is_listed: bool, guard: Guard) -> Result<reqwest::Client, EgressError> {
    reqwest::Client::builder()
        .user_agent(concat!("stellwerk/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(config.connect_timeout)
        .timeout(config.request_timeout)
        .https_only(!is_listed)
        .redirect(reqwest::redirect::Policy::none())
        // Whether to repeat is the outbox's decision: it knows what may be done twice.
        .retry(reqwest::retry::never())
        // A proxy would resolve names itself, behind the guard's back.
        .no_proxy()
        .referer(false)
        .dns_resolver(guard)
        .build()
        .map_err(|_| EgressError::Setup)
}

type Lookup = Arc<dyn Fn(String) -> LookingUp + Send + Sync>;
type LookingUp = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

async fn system_lookup(name: String) -> io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((name, 0)).await?;
    Ok(found.map(|socket| socket.ip()).collect())
}

/// Stands where names become addresses: what it hands out is what gets connected to.
struct Guard {
    lookup: Lookup,
    allow_private: Arc<[AllowedHost]>,
    is_listed: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let looking_up = (self.lookup)(name.as_str().to_owned());
        let (allow_private, is_listed) = (Arc::clone(&self.allow_private), self.is_listed);
        Box::pin(async move {
            let found = looking_up.await?;
            if !may_reach(&found, &allow_private, is_listed) {
                return Err(Refused.into());
            }
            // Port 0 stands for the URL's port.
            let sockets = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(sockets) as Addrs)
        })
    }
}

/// A name may lead to the open internet or to a permitted private network, never to both: such a mix is how
/// a name is made to change sides between two connections.
fn may_reach(found: &[IpAddr], allow_private: &[AllowedHost], is_listed: bool) -> bool {
    let permitted = |address| is_listed || allow_private.iter().any(|allowed| allowed.holds(address));
    found.iter().all(|address| reach(*address) == Reach::Public)
        || found.iter().all(|address| reach(*address) == Reach::Private && permitted(*address))
}

/// The guard's refusal, found again below the layers of the HTTP library's error.
#[derive(Debug, thiserror::Error)]
#[error("address refused")]
struct Refused;

fn classify(error: &reqwest::Error) -> EgressError {
    let causes = || std::iter::successors(error.source(), |cause| (*cause).source());
    if causes().any(|cause| cause.is::<Refused>()) {
        return EgressError::AddressRefused;
    }
    if error.is_dns() {
        return EgressError::NameUnresolved;
    }
    if error.is_connect() {
        return unconnected(error.is_timeout(), causes());
    }
    if error.is_timeout() { EgressError::Timeout } else { EgressError::Broken }
}

fn unconnected<'e>(
    is_timeout: bool,
    mut causes: impl Iterator<Item = &'e (dyn StdError + 'static)>,
) -> EgressError {
    if is_timeout {
        return EgressError::Unreachable(io::ErrorKind::TimedOut);
    }
    let mut cause = causes.find_map(|cause| cause.downcast_ref::<io::Error>());
    let kind = cause.map_or(io::ErrorKind::Other, io::Error::kind);
    // TLS failures travel inside io errors, sometimes two deep, where `source` does not look.
    while let Some(inner) = cause.and_then(io::Error::get_ref) {
        if inner.is::<rustls::Error>() {
            return EgressError::Tls;
        }
        cause = inner.downcast_ref::<io::Error>();
    }
    EgressError::Unreachable(kind)
}
