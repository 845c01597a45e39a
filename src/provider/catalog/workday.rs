//! Workday. Each customer registers a client of their own, and three hosts belong to them; none follows from
//! another. It has no webhooks, but a customer may build an integration that posts: such an endpoint is
//! signed as Standard Webhooks are.

use super::row::*;

pub(super) static WORKDAY: Provider = Provider {
    id: "workday",
    name: "Workday",
    category: Category::HumanResources,
    connect: Connect::OAuth(OAuth {
        authorize_url: "https://{authorization_domain}/{tenant}/authorize",
        token_url: "https://{token_domain}/ccx/oauth2/{tenant}/token",
        revoke: None,
        pkce: Pkce::Unsupported,
        token_auth: TokenAuth::Basic,
        token_format: BodyFormat::Form,
        token_headers: &[],
        token_params: &[],
        failure: Failure::Status,
        scope_separator: ' ',
        granted_separator: ' ',
        // Functional areas, which the customer's administrator ticks on the client.
        default_scopes: &[],
        authorize_params: &[],
        placeholders: &[
            Placeholder { name: "authorization_domain", shape: Shape::Host, default: None },
            Placeholder { name: "token_domain", shape: Shape::Host, default: None },
            Placeholder { name: "tenant", shape: Shape::Segment, default: None },
        ],
        refresh: Refresh {
            rotation: Rotation::Never,
            access_lifetime_s: Some(3_600),
            idle_lifetime_s: None,
            sends_redirect_uri: false,
            needs_scope: None,
        },
        account: Account::Placeholder("tenant"),
        client: Client::Tenants,
    }),
    api: Some(Api {
        base_url: "https://{token_domain}/ccx/api",
        paging: Paging::Offset {
            items: "/data",
            total: "/total",
            param: "offset",
            size_param: "limit",
            max_size: 100,
        },
        // None is published.
        limits: &[],
        throttle: Throttle {
            statuses: &[429, 503],
            wait: Wait::RetryAfter { otherwise_s: 60 },
            ambiguous: Ambiguous::Nothing,
        },
    }),
    webhook: Some(Webhook {
        setup: Setup::ByHand,
        address: Address::PerSubscription,
        verifications: &[Verification {
            scheme: SignatureScheme::Standard,
            proof: Proof::Secret(Scheme::StandardWebhooks),
            secret: Secret::Ours,
            client_secret: None,
        }],
        handshake: Handshake::Nothing,
        event_type: EventType::Json(&["/type", "/event"]),
        dedupe: Dedupe::SignedId,
        routing: Routing::Endpoint,
        lifetime: Lifetime::Endless,
        acknowledgement: Acknowledgement::Told,
    }),
    adapter: Adapter::None,
};
