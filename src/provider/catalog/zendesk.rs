//! Zendesk Support. Each account has a host of its own.

use super::row::*;

pub(super) static ZENDESK: Provider = Provider {
    id: "zendesk",
    name: "Zendesk Support",
    category: Category::Support,
    connect: Connect::OAuth(OAuth {
        authorize_url: "https://{subdomain}.zendesk.com/oauth/authorizations/new",
        token_url: "https://{subdomain}.zendesk.com/oauth/tokens",
        revoke: Some(Revoke {
            url: "https://{subdomain}.zendesk.com/api/v2/oauth/tokens/current.json",
            method: RevokeMethod::Delete,
            auth: RevokeAuth::Bearer,
            token: RevokedToken::Access,
            param: None,
            format: BodyFormat::Json,
        }),
        pkce: Pkce::S256,
        token_auth: TokenAuth::Body,
        token_format: BodyFormat::Json,
        token_headers: &[],
        token_params: &[("expires_in", "1800")],
        failure: Failure::Status,
        scope_separator: ' ',
        granted_separator: ' ',
        default_scopes: &["read", "write"],
        authorize_params: &[],
        placeholders: &[Placeholder { name: "subdomain", shape: Shape::Label, default: None }],
        refresh: Refresh {
            // The access token dies with it.
            rotation: Rotation::SingleUse,
            access_lifetime_s: Some(1_800),
            idle_lifetime_s: None,
            sends_redirect_uri: false,
            needs_scope: None,
        },
        account: Account::Placeholder("subdomain"),
        client: Client::Ours,
    }),
    api: Some(Api {
        base_url: "https://{subdomain}.zendesk.com/api/v2",
        paging: Paging::Link {
            items: "/tickets",
            next: "/links/next",
            size_param: "page[size]",
            max_size: 100,
        },
        // The smallest plan's.
        limits: &[Limit { requests: 200, seconds: 60, per: LimitScope::Account }],
        throttle: Throttle {
            statuses: &[429],
            wait: Wait::RetryAfter { otherwise_s: 60 },
            ambiguous: Ambiguous::Nothing,
        },
    }),
    webhook: Some(Webhook {
        setup: Setup::Api,
        address: Address::PerSubscription,
        // The secret that Zendesk publishes for test sends is everybody's: a test send is refused.
        verifications: &[Verification {
            scheme: SignatureScheme::Zendesk,
            proof: Proof::Secret(Scheme::Hmac(Hmac {
                hash: Hash::Sha256,
                header: "x-zendesk-webhook-signature",
                prefix: Prefix::Nothing,
                encoding: Encoding::Base64,
                signed: &[Part::Timestamp, Part::Body],
                time: Some(SignedTime {
                    header: "x-zendesk-webhook-signature-timestamp",
                    format: TimeFormat::Rfc3339,
                }),
                companions: &[],
            })),
            // It looks like base64 and is used as it stands.
            secret: Secret::Theirs,
            client_secret: None,
        }],
        handshake: Handshake::Nothing,
        event_type: EventType::Json(&["/type"]),
        // A trigger's body is what somebody's template makes of it.
        dedupe: Dedupe::HeadersOrJson(&["x-zendesk-webhook-invocation-id"], &["/id"]),
        routing: Routing::Endpoint,
        lifetime: Lifetime::Endless,
        acknowledgement: Acknowledgement::Told,
    }),
    adapter: Adapter::None,
};
