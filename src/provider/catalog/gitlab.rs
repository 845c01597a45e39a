//! GitLab, at gitlab.com or at a customer's own host.

use super::row::*;

pub(super) static GITLAB: Provider = Provider {
    id: "gitlab",
    name: "GitLab",
    category: Category::Development,
    connect: Connect::OAuth(OAuth {
        authorize_url: "https://{host}/oauth/authorize",
        token_url: "https://{host}/oauth/token",
        revoke: Some(Revoke {
            url: "https://{host}/oauth/revoke",
            method: RevokeMethod::Post,
            auth: RevokeAuth::Body,
            token: RevokedToken::Access,
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
        default_scopes: &["api", "read_user"],
        authorize_params: &[],
        placeholders: &[Placeholder { name: "host", shape: Shape::Host, default: Some("gitlab.com") }],
        refresh: Refresh {
            // The access token dies with it.
            rotation: Rotation::SingleUse,
            access_lifetime_s: Some(7_200),
            idle_lifetime_s: None,
            sends_redirect_uri: true,
            needs_scope: None,
        },
        account: Account::Call(AccountCall {
            url: "https://{host}/api/v4/user",
            is_list: false,
            id: "/id",
            name: "/username",
        }),
        client: Client::Ours,
    }),
    api: Some(Api {
        base_url: "https://{host}/api/v4",
        paging: Paging::LinkHeader { size_param: "per_page", max_size: 100 },
        limits: &[Limit { requests: 2_000, seconds: 60, per: LimitScope::Account }],
        throttle: Throttle {
            statuses: &[429],
            wait: Wait::RetryAfterOrReset { header: "ratelimit-reset", otherwise_s: 60 },
            ambiguous: Ambiguous::Nothing,
        },
    }),
    webhook: Some(Webhook {
        setup: Setup::Api,
        address: Address::PerSubscription,
        // An endpoint has one of the two: with a signing token there is no way back to the plain one.
        verifications: &[
            Verification {
                scheme: SignatureScheme::Standard,
                proof: Proof::Secret(Scheme::StandardWebhooks),
                secret: Secret::Ours,
                client_secret: None,
            },
            Verification {
                scheme: SignatureScheme::GitlabToken,
                proof: Proof::Secret(Scheme::Token(Token { at: TokenAt::Header("x-gitlab-token") })),
                secret: Secret::Ours,
                client_secret: None,
            },
        ],
        handshake: Handshake::Nothing,
        event_type: EventType::Header("x-gitlab-event"),
        // It equals `webhook-id` where that is signed.
        // `X-Gitlab-Event-UUID` is one for a whole chain of hooks.
        dedupe: Dedupe::HeadersOrJson(&["idempotency-key"], &[]),
        routing: Routing::Endpoint,
        lifetime: Lifetime::Endless,
        acknowledgement: Acknowledgement::Empty,
    }),
    adapter: Adapter::None,
};
