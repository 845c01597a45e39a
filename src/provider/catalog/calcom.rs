//! Cal.com: bookings. The adapter is `provider::calcom`.

use super::row::*;
use crate::provider::calcom;

pub(super) static CALCOM: Provider = Provider {
    id: calcom::PROVIDER,
    name: "Cal.com",
    category: Category::Scheduling,
    connect: Connect::OAuthOrApiKey(
        OAuth {
            authorize_url: "https://app.cal.com/auth/oauth2/authorize",
            token_url: "https://api.cal.com/v2/auth/oauth2/token",
            revoke: None,
            // A confidential client that sent a challenge must send the verifier beside its secret.
            pkce: Pkce::S256,
            token_auth: TokenAuth::Body,
            token_format: BodyFormat::Form,
            token_headers: &[],
            token_params: &[],
            failure: Failure::Status,
            scope_separator: ' ',
            granted_separator: ' ',
            default_scopes: &[
                "BOOKING_READ",
                "BOOKING_WRITE",
                "EVENT_TYPE_READ",
                "PROFILE_READ",
                "WEBHOOK_READ",
                "WEBHOOK_WRITE",
            ],
            authorize_params: &[],
            placeholders: &[],
            refresh: Refresh {
                rotation: Rotation::Replaced,
                access_lifetime_s: Some(1_800),
                idle_lifetime_s: Some(2_592_000),
                sends_redirect_uri: false,
                needs_scope: None,
            },
            account: Account::Call(AccountCall {
                url: "https://api.cal.com/v2/me",
                is_list: false,
                id: "/data/id",
                name: "/data/email",
            }),
            client: Client::Ours,
        },
        ApiKey::Bearer,
    ),
    api: Some(Api {
        base_url: calcom::DEFAULT_INSTANCE,
        paging: Paging::Offset {
            items: "/data",
            total: "/pagination/totalItems",
            param: "skip",
            size_param: "take",
            max_size: 250,
        },
        // An API key's; an OAuth token has 500.
        limits: &[Limit { requests: 120, seconds: 60, per: LimitScope::Token }],
        // A refused caller is shut out for another minute, and `Retry-After` is not promised.
        throttle: Throttle {
            statuses: &[429],
            wait: Wait::RetryAfter { otherwise_s: 60 },
            ambiguous: Ambiguous::Nothing,
        },
    }),
    webhook: Some(Webhook {
        setup: Setup::Api,
        address: Address::PerSubscription,
        verifications: &[Verification {
            scheme: SignatureScheme::Calcom,
            proof: Proof::Secret(calcom::SCHEME),
            secret: Secret::Ours,
            client_secret: None,
        }],
        handshake: Handshake::Nothing,
        event_type: EventType::Json(&["/triggerEvent"]),
        dedupe: Dedupe::Adapter,
        routing: Routing::Endpoint,
        lifetime: Lifetime::Endless,
        acknowledgement: Acknowledgement::Told,
    }),
    adapter: Adapter::Calcom,
};
