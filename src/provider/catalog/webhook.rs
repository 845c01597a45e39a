//! What a row says about deliveries: how they are known to be the provider's, whose they are, and which of
//! them are repeats.

use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::{Pair, Pointer};
use crate::{
    provider::signature::{self, BadSecret, Published, Scheme},
    words::SignatureScheme,
};

/// How a provider delivers.
#[derive(Debug, PartialEq, Eq)]
pub struct Webhook {
    pub setup: Setup,
    pub address: Address,
    /// The schemes an endpoint may have, the preferred one first; each endpoint has one.
    pub verifications: &'static [Verification],
    pub handshake: Handshake,
    pub event_type: EventType,
    pub dedupe: Dedupe,
    pub routing: Routing,
    pub lifetime: Lifetime,
    pub acknowledgement: Acknowledgement,
}

/// Who makes a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// We do, through the API.
    Api,
    /// A person does, in the provider's settings.
    ByHand,
}

/// What an address stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// Each subscription has an unguessable one.
    PerSubscription,
    /// Our client has one for all tenants: the account in the body says whose a delivery is.
    PerClient,
}

/// One way to know a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verification {
    /// What endpoints keep.
    pub scheme: SignatureScheme,
    pub proof: Proof,
    pub secret: Secret,
    /// A secret of our client's that signs, too: what comes to the client's address where it has one,
    /// otherwise what comes to an endpoint without a secret of its own.
    /// Absent where each endpoint has to have one.
    pub client_secret: Option<ClientSecret>,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Something that only who holds the secret can make.
    Secret(Scheme),
    /// Something that only the provider can make.
    Published(Published),
}

impl Proof {
    /// The scheme of the shared secret, where there is one.
    fn shared(&self) -> Option<&Scheme> {
        match self {
            Self::Secret(scheme) => Some(scheme),
            Self::Published(published) => published.beside.as_ref(),
        }
    }

    /// The key behind a stored secret.
    pub fn key(&self, secret: &SecretString) -> Result<SecretSlice<u8>, BadSecret> {
        match self.shared() {
            Some(scheme) => scheme.key(secret),
            None => Ok(secret.expose_secret().as_bytes().to_vec().into()),
        }
    }

    /// A fresh secret. `None`: there is nothing secret about what is kept.
    pub fn generate_secret(&self) -> Option<SecretString> {
        self.shared().map(signature::generate_secret)
    }
}

/// Where an endpoint's secret comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secret {
    /// We make it and give it to the provider.
    Ours,
    /// The provider makes it and tells it to whoever makes the subscription.
    Theirs,
    /// The provider tells it in the handshake, or to whoever makes the subscription.
    Handshake,
}

/// A secret that belongs to our client at the provider, and stands in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientSecret {
    /// One for deliveries alone.
    Signing,
    /// That of the OAuth client.
    OAuth,
}

/// How a provider makes sure that an address is meant for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    Nothing,
    /// The first request carries the secret in a header; it is echoed, once,
    /// while the subscription is pending.
    EchoSecretHeader {
        header: &'static str,
    },
    /// A signed request whose `kind` is `word`: `challenge` is echoed as plain text.
    SignedChallenge {
        kind: Pointer,
        word: &'static str,
        challenge: Pointer,
    },
    /// A query parameter is echoed as plain text.
    EchoQuery {
        method: EchoMethod,
        param: &'static str,
        headers: &'static [Pair],
    },
    /// A request without body that wants a 200.
    Head,
    /// A request whose body tells the secret; a person types it in at the provider.
    TellsSecret {
        at: Pointer,
    },
    /// A verified delivery with this header, which says nothing else.
    FirstDelivery {
        header: &'static str,
        value: &'static str,
    },
}

/// How an address is asked for its echo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EchoMethod {
    Get,
    Post,
}

/// Where a delivery says what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    Header(&'static str),
    /// The first of these places that holds a text.
    Json(&'static [Pointer]),
    /// Always the same.
    Always(&'static str),
}

/// What tells a repeat from a new delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dedupe {
    /// The first of these places that holds a text or a number.
    Json(&'static [Pointer]),
    /// Headers that make an id together, all of them needed; else the first of these places. They are not
    /// signed, but who could change them could as well send something new.
    HeadersOrJson(&'static [&'static str], &'static [Pointer]),
    /// The ids in this field of each element of the list at this place, taken together.
    EachOf { list: Pointer, field: &'static str },
    /// The one that was signed (Standard Webhooks).
    SignedId,
    /// The body itself with what this header says of its time: the same said later is news.
    BodyAt(&'static str),
    /// Two equal ones are two.
    Never,
    /// The adapter compares what is said with what is known.
    Adapter,
}

/// How a delivery's tenant is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routing {
    /// By its address.
    Endpoint,
    /// By the account ids at these places of the verified body.
    /// Where a place is a list, it is for each of them.
    Account(&'static [Pointer]),
}

/// What stands in the answer to a delivery that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledgement {
    /// The event's id and what became of it, as JSON.
    Told,
    /// Nothing: the provider would show it to a person.
    Empty,
}

/// How long a subscription lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Until somebody removes it.
    Endless,
    /// Removed after so many hours without one delivery that was accepted.
    UntilSilent { hours: u32 },
    /// At most so many seconds; prolonged before.
    Renewed { max_s: u32 },
    /// At most so many seconds; a new one is made before.
    Replaced { max_s: u32 },
}
