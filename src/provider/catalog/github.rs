//! GitHub.

use super::row::*;

pub(super) static GITHUB: Provider = Provider {
    id: "github",
    name: "GitHub",
    category: Category::Development,
    connect: Connect::OAuth(OAuth {
        authorize_url: "https://github.com/login/oauth/authorize",
        token_url: "https://github.com/login/oauth/access_token",
        revoke: Some(Revoke {
            url: "https://api.github.com/applications/{client_id}/token",
            method: RevokeMethod::Delete,
            auth: RevokeAuth::Basic,
            token: RevokedToken::Access,
            param: Some("access_token"),
            format: BodyFormat::Json,
        }),
        pkce: Pkce::S256,
        token_auth: TokenAuth::Body,
        token_format: BodyFormat::Form,
        // Otherwise the answer is a form.
        token_headers: &[("accept", "application/json")],
        token_params: &[],
        failure: Failure::ErrorField,
        scope_separator: ' ',
        granted_separator: ',',
        default_scopes: &["repo", "write:repo_hook", "read:user", "user:email"],
        authorize_params: &[],
        placeholders: &[],
        refresh: Refresh {
            rotation: Rotation::SingleUse,
            // Eight hours where the app's tokens expire; otherwise they live until they are revoked.
            access_lifetime_s: Some(28_800),
            idle_lifetime_s: Some(15_897_600),
            sends_redirect_uri: false,
            needs_scope: None,
        },
        account: Account::Call(AccountCall {
            url: "https://api.github.com/user",
            is_list: false,
            id: "/id",
            name: "/login",
        }),
        client: Client::Ours,
    }),
    api: Some(Api {
        base_url: "https://api.github.com",
        paging: Paging::LinkHeader { size_param: "per_page", max_size: 100 },
        limits: &[Limit { requests: 5_000, seconds: 3_600, per: LimitScope::Account }],
        throttle: Throttle {
            statuses: &[403, 429],
            wait: Wait::RetryAfterOrReset { header: "x-ratelimit-reset", otherwise_s: 60 },
            ambiguous: Ambiguous::ForbiddenByHeader { remaining: "x-ratelimit-remaining" },
        },
    }),
    webhook: Some(Webhook {
        setup: Setup::Api,
        address: Address::PerSubscription,
        verifications: &[Verification {
            scheme: SignatureScheme::Github,
            proof: Proof::Secret(Scheme::Hmac(Hmac {
                hash: Hash::Sha256,
                header: "x-hub-signature-256",
                prefix: Prefix::Always("sha256="),
                encoding: Encoding::LowerHex,
                signed: &[Part::Body],
                time: None,
                // The same with SHA-1, for old receivers; it comes along and counts for nothing.
                companions: &["x-hub-signature"],
            })),
            secret: Secret::Ours,
            client_secret: None,
        }],
        handshake: Handshake::FirstDelivery { header: "x-github-event", value: "ping" },
        event_type: EventType::Header("x-github-event"),
        dedupe: Dedupe::HeadersOrJson(&["x-github-delivery"], &[]),
        routing: Routing::Endpoint,
        lifetime: Lifetime::Endless,
        acknowledgement: Acknowledgement::Told,
    }),
    adapter: Adapter::None,
};
