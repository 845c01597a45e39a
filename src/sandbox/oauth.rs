//! Any provider's OAuth 2.0, from its catalog row: consent page, token endpoint, revocation, and the call
//! that says whose account it is. It is as strict as the row says and forgives nothing: a challenge where
//! the row has none is refused as one that is missing.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{Router, body::to_bytes, extract::Request, extract::State, response::Response};
use http::StatusCode;
use tokio::net::TcpListener;

use super::wire::Wire;
use crate::provider::catalog::{self, Provider, UrlTemplate};

mod answers;
mod consent;
mod tokens;

/// What is registered, and what people have there.
#[derive(Debug, Clone)]
pub struct Settings {
    pub client_id: String,
    pub client_secret: String,
    pub redirect_uri: String,
    /// Whose consent is given.
    pub account: (String, String),
}

/// What the person does at the consent page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Person {
    #[default]
    Agrees,
    Denies,
    /// Comes back with this error of the provider's.
    MeetsError(&'static str),
}

/// What the token endpoint does instead of what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An HTML page of this status.
    Page(u16),
    /// A refusal by this code, in the row's own form.
    Refusal(&'static str),
    /// Everything is done, and the answer is lost.
    LostAnswer,
}

/// A provider on loopback.
pub struct OAuth {
    inner: Arc<Inner>,
    address: SocketAddr,
    wire: Wire,
}

pub(super) struct Inner {
    row: &'static catalog::OAuth,
    state: Mutex<World>,
}

#[derive(Default)]
struct World {
    settings: Option<Settings>,
    person: Person,
    /// In place of what is asked for.
    granted: Option<Vec<String>>,
    /// Token answers say nothing of whose account it is.
    is_secretive: bool,
    faults: VecDeque<Fault>,
    codes: HashMap<String, Code>,
    grants: Vec<Grant>,
    /// Grant types, in order.
    requests: Vec<String>,
    revocations: usize,
    /// Everything that must not be read anywhere else.
    secrets: Vec<String>,
}

/// What a code stands for, once.
#[derive(Clone)]
struct Code {
    redirect_uri: String,
    challenge: Option<String>,
    scopes: Vec<String>,
    is_used: bool,
}

/// One grant with the tokens that work.
struct Grant {
    access: Vec<String>,
    refresh: Vec<String>,
    scopes: Vec<String>,
    redirect_uri: String,
}

impl OAuth {
    /// A double of a provider on a free port. `None`: the provider knows no OAuth.
    pub async fn start(provider: &str) -> io::Result<Option<Self>> {
        let Some(row) = catalog::find(provider).and_then(Provider::oauth) else {
            return Ok(None);
        };
        let inner = Arc::new(Inner { row, state: Mutex::default() });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(serve).with_state(inner.clone());
        Ok(Some(Self { inner, address, wire: Wire::start(listener, router)? }))
    }

    /// Where the provider's addresses are to be moved to.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Registers the one client.
    pub fn register(&self, settings: Settings) {
        self.inner.world().settings = Some(settings);
    }

    /// What people do from now on.
    pub fn person(&self, person: Person) {
        self.inner.world().person = person;
    }

    /// What is granted from now on, whatever is asked for.
    pub fn grant_only(&self, scopes: &[&str]) {
        self.inner.world().granted = Some(scopes.iter().map(ToString::to_string).collect());
    }

    /// From now on token answers leave out whose account it is.
    pub fn keep_account_secret(&self) {
        self.inner.world().is_secretive = true;
    }

    /// Whose consent is given from now on.
    pub fn account(&self, id: &str, name: &str) {
        if let Some(settings) = &mut self.inner.world().settings {
            settings.account = (id.into(), name.into());
        }
    }

    /// What the next token requests meet.
    pub fn faults(&self, faults: &[Fault]) {
        self.inner.world().faults.extend(faults);
    }

    /// Takes every token back, as an account's owner does.
    pub fn forget_everybody(&self) {
        self.inner.world().grants.clear();
    }

    /// Access tokens stop working; what they are refreshed with does not.
    pub fn forget_access(&self) {
        self.inner.world().grants.iter_mut().for_each(|grant| grant.access.clear());
    }

    /// The grant types of all token requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.inner.world().requests.clone()
    }

    /// How many grants live.
    pub fn grants(&self) -> usize {
        self.inner.world().grants.len()
    }

    /// How many were ended by us.
    pub fn revocations(&self) -> usize {
        self.inner.world().revocations
    }

    /// Whether an access token works.
    pub fn admits(&self, access: &str) -> bool {
        self.inner.world().grants.iter().any(|grant| grant.access.iter().any(|one| one == access))
    }

    /// Codes and tokens of all times, the client's secret among them.
    pub fn secrets(&self) -> Vec<String> {
        let world = self.inner.world();
        let of_client = world.settings.iter().map(|settings| settings.client_secret.clone());
        world.secrets.iter().cloned().chain(of_client).collect()
    }

    /// Refuses connections from now on.
    pub async fn stop(&self) {
        self.wire.stop().await;
    }

    /// Listens again.
    pub async fn start_again(&self) -> io::Result<()> {
        self.wire.start_again().await
    }
}

impl Inner {
    fn world(&self) -> MutexGuard<'_, World> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request, read.
struct Asked {
    method: http::Method,
    path: String,
    query: BTreeMap<String, String>,
    headers: http::HeaderMap,
    body: Vec<u8>,
}

async fn serve(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    const BODY_AT_MOST: usize = 64 * 1024;
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_AT_MOST).await else {
        return answers::text(StatusCode::PAYLOAD_TOO_LARGE, "too large");
    };
    let query = parts.uri.query().unwrap_or_default();
    let asked = Asked {
        method: parts.method,
        path: parts.uri.path().into(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers: parts.headers,
        body: body.into(),
    };
    let row = inner.row;
    let account = row.account.call().map(|call| call.url);
    if is_at(row.authorize_url, &asked) {
        consent::page(&inner, &asked)
    } else if is_at(row.token_url, &asked) {
        tokens::token(&inner, &asked)
    } else if row.revoke.as_ref().is_some_and(|revoke| is_at(revoke.url, &asked)) {
        tokens::revoke(&inner, &asked)
    } else if account.is_some_and(|url| is_at(url, &asked)) {
        answers::account(&inner, &asked)
    } else {
        answers::text(StatusCode::NOT_FOUND, "no such route")
    }
}

/// Whether a request is at a template's path and carries its query.
fn is_at(template: UrlTemplate, asked: &Asked) -> bool {
    let rest = template.split_once("://").map_or(template, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |slash| &rest[slash..]);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let (mut wanted, mut given) = (path.split('/'), asked.path.split('/'));
    let fits = loop {
        match (wanted.next(), given.next()) {
            (None, None) => break true,
            (Some(wanted), Some(given))
                if wanted == given || wanted.starts_with('{') && !given.is_empty() => {}
            _ => break false,
        }
    };
    fits && url::form_urlencoded::parse(query.as_bytes())
        .all(|(name, value)| asked.query.get(name.as_ref()).is_some_and(|given| *given == value))
}
