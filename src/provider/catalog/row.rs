//! The words of a row, in one hand.

pub(super) use super::{
    Adapter, Api, ApiKey, Category, Connect, OAuth, Provider, Webhook,
    api::{Ambiguous, Limit, LimitScope, Paging, Throttle, Wait},
    oauth::{
        Account, AccountCall, BodyFormat, Client, Failure, Pkce, Placeholder, Refresh, Revoke, RevokeAuth,
        RevokeMethod, RevokedToken, Rotation, Shape, TokenAuth,
    },
    webhook::{
        Acknowledgement, Address, ClientSecret, Dedupe, EchoMethod, EventType, Handshake, Lifetime, Proof,
        Routing, Secret, Setup, Verification,
    },
};
pub(super) use crate::{
    provider::signature::{
        Audience, Claim, Encoding, Expected, Hash, Hmac, Issuer, Part, Prefix, Published, Scheme, SignedTime,
        SignedToken, TimeFormat, Token, TokenAt, TokenPlace,
    },
    words::SignatureScheme,
};
