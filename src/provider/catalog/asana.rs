//! Asana: projects, phases, hours and absences. The adapter is `provider::asana`.

use super::row::*;
use crate::provider::asana;

pub(super) static ASANA: Provider = Provider {
    id: asana::PROVIDER,
    name: "Asana",
    category: Category::ProjectManagement,
    connect: Connect::OAuth(OAuth {
        authorize_url: "https://app.asana.com/-/oauth_authorize",
        token_url: "https://app.asana.com/-/oauth_token",
        // An access token is refused with 400 here; webhooks go first, for afterwards nobody may delete them.
        revoke: Some(Revoke {
            url: "https://app.asana.com/-/oauth_revoke",
            method: RevokeMethod::Post,
            auth: RevokeAuth::Body,
            token: RevokedToken::Refresh,
            param: Some("token"),
            format: BodyFormat::Form,
        }),
        pkce: Pkce::S256,
        token_auth: TokenAuth::Body,
        token_format: BodyFormat::Form,
        token_headers: &[],
        token_params: &[],
        failure: Failure::Status,
        scope_separator: ' ',
        granted_separator: ' ',
        // Full permissions: the event stream and sections have no scope of their own (read 2026-06).
        default_scopes: &["default"],
        authorize_params: &[],
        placeholders: &[],
        refresh: Refresh {
            rotation: Rotation::Unsettled,
            access_lifetime_s: Some(3_600),
            idle_lifetime_s: None,
            sends_redirect_uri: false,
            needs_scope: None,
        },
        // The documentation shows `id`, clients see `gid`; neither is promised.
        account: Account::Token {
            id: &["/data/gid", "/data/id"],
            name: &["/data/name"],
            otherwise: Some(AccountCall {
                url: "https://app.asana.com/api/1.0/users/me",
                is_list: false,
                id: "/data/gid",
                name: "/data/name",
            }),
        },
        client: Client::Ours,
    }),
    api: Some(Api {
        base_url: "https://app.asana.com/api/1.0",
        paging: Paging::Cursor {
            items: "/data",
            next: "/next_page/offset",
            param: "offset",
            size_param: "limit",
            max_size: 100,
        },
        // A free workspace's; a paid one has ten times as much, which no endpoint tells.
        limits: &[Limit { requests: 150, seconds: 60, per: LimitScope::Token }],
        throttle: Throttle {
            statuses: &[424, 429],
            wait: Wait::RetryAfter { otherwise_s: 60 },
            ambiguous: Ambiguous::Nothing,
        },
    }),
    webhook: Some(Webhook {
        setup: Setup::Api,
        address: Address::PerSubscription,
        verifications: &[Verification {
            scheme: SignatureScheme::Asana,
            proof: Proof::Secret(Scheme::Hmac(Hmac::of_body("x-hook-signature", Prefix::Nothing))),
            secret: Secret::Handshake,
            client_secret: None,
        }],
        handshake: Handshake::EchoSecretHeader { header: "x-hook-secret" },
        // One delivery holds many events, of many kinds.
        event_type: EventType::Always("events"),
        dedupe: Dedupe::Adapter,
        routing: Routing::Endpoint,
        lifetime: Lifetime::UntilSilent { hours: 24 },
        acknowledgement: Acknowledgement::Told,
    }),
    adapter: Adapter::Asana,
};
