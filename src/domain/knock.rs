//! Whether the providers of connected integrations can be reached from here: asked without a credential, so
//! that nothing is used up and nothing is told.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use http::{HeaderMap, Method};
use prost::bytes::Bytes;
use url::Url;

use super::Domain;
use crate::{
    egress::{EgressError, EgressRequest},
    error::Result,
    provider::oauth::rebase,
    store::diagnosis::{self, Place},
};

/// What came of knocking at one place.
#[derive(Debug, Clone)]
pub struct Knocked {
    pub provider: String,
    /// With its port, where it is not the usual one.
    pub host: String,
    /// Integrations that are connected with it.
    pub integrations: i64,
    /// The HTTP status and the time to it, or why there is none.
    pub answer: std::result::Result<(u16, Duration), EgressError>,
}

/// Places at most, those of most integrations first.
const AT_MOST: i32 = 100;
const AT_ONCE: usize = 8;
const PATIENCE: Duration = Duration::from_secs(10);

/// Knocks at every place once, through the one way out.
pub async fn everywhere(domain: &Domain) -> Result<Vec<Knocked>> {
    let places = diagnosis::places(&domain.store, AT_MOST).await?;
    Ok(stream::iter(places).map(|place| knock(domain, place)).buffered(AT_ONCE).collect().await)
}

async fn knock(domain: &Domain, place: Place) -> Knocked {
    let url = url_of(domain, &place);
    let host = url.as_ref().map(host_of).unwrap_or_default();
    let answer = match url {
        Some(url) => answer(domain, url).await,
        None => Err(EgressError::UrlRefused),
    };
    Knocked { provider: place.provider, host, integrations: place.integrations, answer }
}

async fn answer(domain: &Domain, url: Url) -> std::result::Result<(u16, Duration), EgressError> {
    let begin = Instant::now();
    let request = EgressRequest { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new() };
    let fetched = domain.egress.send_within(request, PATIENCE).await?;
    Ok((fetched.status.as_u16(), begin.elapsed()))
}

/// As `engine::provider_call` goes: a grant is of the provider itself, which a sandbox may stand in for.
fn url_of(domain: &Domain, place: &Place) -> Option<Url> {
    let url: Url = place.instance_url.parse().ok()?;
    let base = domain.deployments.base(&place.provider).filter(|_| place.is_granted);
    Some(base.map_or(url.clone(), |base| rebase(&url, base)))
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
