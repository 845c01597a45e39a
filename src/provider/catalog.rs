//! What each provider is: one row apiece, and everything a row can say.
//!
//! The words are closed enums and no field has a default: a row that says nothing about signatures does not
//! compile, and what is not supported is refused. What a row cannot say is its adapter's.

use http::Method;

pub mod api;
pub mod oauth;
pub mod webhook;

mod asana;
mod bamboohr;
mod booking;
mod calcom;
mod dropbox;
mod github;
mod gitlab;
mod google;
mod jira;
mod microsoft365;
mod notion;
mod row;
mod slack;
mod trello;
mod workday;
mod zendesk;

pub use api::Api;
pub use oauth::OAuth;
pub use webhook::{Verification, Webhook};

use crate::words::SignatureScheme;
use webhook::{EchoMethod, Handshake};

/// An outside service.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its key: in addresses, rows and settings, as in `asana`.
    pub id: &'static str,
    /// Its name for people.
    pub name: &'static str,
    pub category: Category,
    pub connect: Connect,
    /// Absent for one that is never asked.
    pub api: Option<Api>,
    /// Absent for one that never posts.
    pub webhook: Option<Webhook>,
    pub adapter: Adapter,
}

/// What a provider is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    Communication,
    Development,
    HumanResources,
    Knowledge,
    Productivity,
    ProjectManagement,
    Scheduling,
    Storage,
    Support,
}

/// What opens a provider's API.
#[derive(Debug, PartialEq, Eq)]
pub enum Connect {
    OAuth(OAuth),
    ApiKey(ApiKey),
    /// The tenant chooses.
    OAuthOrApiKey(OAuth, ApiKey),
    /// It only posts to us.
    WebhookOnly,
}

/// How an API key is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiKey {
    /// `authorization: Bearer <key>`.
    Bearer,
}

/// Who moves records between us and a provider, once it is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapter {
    /// `provider::asana`.
    Asana,
    /// `provider::booking_tool`.
    Booking,
    /// `provider::calcom`.
    Calcom,
    /// Connecting works, and webhooks are verified and kept where there are any; nothing is done with them.
    None,
}

/// What moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    Patients,
    Appointments,
    Projects,
    Phases,
    Absences,
    TimeEntries,
}

/// A place in a JSON document, as of RFC 6901.
pub type Pointer = &'static str;

/// A URL as the provider documents it; `{name}` stands for the placeholder of that name.
pub type UrlTemplate = &'static str;

/// A name and its value, as of a header or a parameter.
pub type Pair = (&'static str, &'static str);

/// By id.
static PROVIDERS: [&Provider; 15] = [
    &asana::ASANA,
    &bamboohr::BAMBOOHR,
    &booking::BOOKING,
    &calcom::CALCOM,
    &dropbox::DROPBOX,
    &github::GITHUB,
    &gitlab::GITLAB,
    &google::GOOGLE,
    &jira::JIRA,
    &microsoft365::MICROSOFT365,
    &notion::NOTION,
    &slack::SLACK,
    &trello::TRELLO,
    &workday::WORKDAY,
    &zendesk::ZENDESK,
];

/// Every provider, by id.
pub fn all() -> &'static [&'static Provider] {
    &PROVIDERS
}

/// The provider with this id.
pub fn find(id: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().copied().find(|provider| provider.id == id)
}

/// Who moves records between us and the provider with this id; nobody if it is unknown.
pub fn adapter(id: &str) -> Adapter {
    find(id).map_or(Adapter::None, |provider| provider.adapter)
}

/// Whether a provider can never be asked what it told: it only posts to us.
pub fn only_posts(id: &str) -> bool {
    find(id).is_some_and(|provider| provider.connect == Connect::WebhookOnly)
}

impl Adapter {
    /// What is taken in today, not what is planned.
    pub fn inbound(self) -> &'static [Noun] {
        match self {
            Self::Asana => &[Noun::Projects, Noun::Phases, Noun::Absences, Noun::TimeEntries],
            Self::Booking => &[Noun::Patients, Noun::Appointments],
            Self::Calcom => &[Noun::Appointments],
            Self::None => &[],
        }
    }

    /// What is written there today.
    pub fn outbound(self) -> &'static [Noun] {
        match self {
            Self::Asana => &[Noun::Phases],
            Self::Calcom => &[Noun::Appointments],
            Self::Booking | Self::None => &[],
        }
    }

    /// Whether records are asked for, not only told.
    pub fn asks(self) -> bool {
        match self {
            Self::Asana | Self::Calcom => true,
            Self::Booking | Self::None => false,
        }
    }
}

impl Provider {
    /// How to connect by OAuth, for one that can.
    pub fn oauth(&self) -> Option<&OAuth> {
        match &self.connect {
            Connect::OAuth(oauth) | Connect::OAuthOrApiKey(oauth, _) => Some(oauth),
            Connect::ApiKey(_) | Connect::WebhookOnly => None,
        }
    }

    /// How an API key is presented, for one that takes keys.
    pub fn api_key(&self) -> Option<ApiKey> {
        match &self.connect {
            Connect::ApiKey(key) | Connect::OAuthOrApiKey(_, key) => Some(*key),
            Connect::OAuth(_) | Connect::WebhookOnly => None,
        }
    }
}

impl Webhook {
    /// The verification of this name, if the provider has it.
    pub fn verification(&self, scheme: SignatureScheme) -> Option<&Verification> {
        self.verifications.iter().find(|verification| verification.scheme == scheme)
    }

    /// Whether its handshake is a request of this method.
    pub fn asks_by(&self, method: &Method) -> bool {
        match self.handshake {
            Handshake::Head => *method == Method::HEAD,
            Handshake::EchoQuery { method: EchoMethod::Get, .. } => *method == Method::GET,
            _ => *method == Method::POST,
        }
    }
}

/// A provider's webhook and one verification of it. `None`: it has no such scheme.
pub fn verification(
    provider: &str,
    scheme: SignatureScheme,
) -> Option<(&'static Webhook, &'static Verification)> {
    let webhook = find(provider)?.webhook.as_ref()?;
    webhook.verification(scheme).map(|verification| (webhook, verification))
}
