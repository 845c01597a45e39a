//! What a row says about deliveries: how they are known to be the provider's, whose they are, and which of
//! them are repeats.

use super::{Pair, Pointer};
use crate::provider::signature::Scheme;

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
    pub scheme: Scheme,
    pub secret: Secret,
}

/// Where the secret comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secret {
    /// We make it and give it to the provider.
    Ours,
    /// The provider makes it and tells it once, to whoever makes the subscription.
    Theirs,
    /// The provider tells it in the handshake.
    Handshake,
    /// Our client's signing secret, from the configuration.
    ClientSigning,
    /// Our client's OAuth secret, from the configuration.
    ClientSecret,
    /// None: the provider's public keys.
    PublicKeys,
}

/// How a provider makes sure that an address is meant for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    Nothing,
    /// The first request carries the secret in a header; it is echoed, once, while the subscription is pending.
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
    /// Headers that make an id together, all of them needed.
    Headers(&'static [&'static str]),
    /// The first of these places that holds a text or a number.
    Json(&'static [Pointer]),
    /// The one that was signed (Standard Webhooks).
    SignedId,
    /// The first of these headers, else the body itself.
    HeaderOrBody(&'static str),
    /// The body itself.
    Body,
    /// The adapter compares what is said with what is known.
    Adapter,
}

/// How a delivery's tenant is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routing {
    /// By its address.
    Endpoint,
    /// By the account ids at these places of the verified body. Where a place is a list, it is for each of them.
    Account(&'static [Pointer]),
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
