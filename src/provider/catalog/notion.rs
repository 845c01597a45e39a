//! Notion. It has no scopes: the person chooses pages.

use super::row::*;

pub(super) static NOTION: Provider = Provider {
    id: "notion",
    name: "Notion",
    category: Category::Knowledge,
    connect: Connect::OAuth(OAuth {
        authorize_url: "https://api.notion.com/v1/oauth/authorize",
        token_url: "https://api.notion.com/v1/oauth/token",
        revoke: Some(Revoke {
            url: "https://api.notion.com/v1/oauth/revoke",
            method: RevokeMethod::Post,
            auth: RevokeAuth::Basic,
            token: RevokedToken::Access,
            param: Some("token"),
            format: BodyFormat::Json,
        }),
        pkce: Pkce::Unsupported,
        token_auth: TokenAuth::Basic,
        token_format: BodyFormat::Json,
        token_headers: &[("notion-version", "2025-09-03")],
        token_params: &[],
        failure: Failure::Status,
        scope_separator: ' ',
        granted_separator: ' ',
        default_scopes: &[],
        authorize_params: &[("owner", "user")],
        placeholders: &[],
        refresh: Refresh {
            rotation: Rotation::Replaced,
            access_lifetime_s: None,
            idle_lifetime_s: None,
            sends_redirect_uri: false,
            needs_scope: None,
        },
        account: Account::Token { id: &["/workspace_id"], name: &["/workspace_name"], otherwise: None },
        client: Client::Ours,
    }),
    api: Some(Api {
        base_url: "https://api.notion.com/v1",
        paging: Paging::Cursor {
            items: "/results",
            next: "/next_cursor",
            param: "start_cursor",
            size_param: "page_size",
            max_size: 100,
        },
        limits: &[Limit { requests: 3, seconds: 1, per: LimitScope::Token }],
        throttle: Throttle {
            statuses: &[429, 529],
            wait: Wait::RetryAfter { otherwise_s: 10 },
            ambiguous: Ambiguous::Nothing,
        },
    }),
    webhook: Some(Webhook {
        setup: Setup::ByHand,
        address: Address::PerClient,
        verifications: &[Verification {
            scheme: SignatureScheme::Notion,
            proof: Proof::Secret(Scheme::Hmac(Hmac::of_body(
                "x-notion-signature",
                Prefix::Always("sha256="),
            ))),
            secret: Secret::Handshake,
            client_secret: Some(ClientSecret::Signing),
        }],
        handshake: Handshake::TellsSecret { at: "/verification_token" },
        event_type: EventType::Json(&["/type"]),
        dedupe: Dedupe::Json(&["/id"]),
        routing: Routing::Account(&["/workspace_id"]),
        lifetime: Lifetime::Endless,
        acknowledgement: Acknowledgement::Told,
    }),
    adapter: Adapter::None,
};
