//! Google Workspace: Calendar, Drive, Gmail. Calendar and Drive repeat a token of ours in a header; Gmail
//! comes through Pub/Sub, which signs with Google's keys.

use super::row::*;

pub(super) static GOOGLE: Provider = Provider {
    id: "google",
    name: "Google Workspace",
    category: Category::Productivity,
    connect: Connect::OAuth(OAuth {
        authorize_url: "https://accounts.google.com/o/oauth2/v2/auth",
        token_url: "https://oauth2.googleapis.com/token",
        revoke: Some(Revoke {
            url: "https://oauth2.googleapis.com/revoke",
            method: RevokeMethod::Post,
            auth: RevokeAuth::Nothing,
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
        default_scopes: &[
            "openid",
            "email",
            "https://www.googleapis.com/auth/calendar.events",
            "https://www.googleapis.com/auth/calendar.readonly",
            "https://www.googleapis.com/auth/drive.readonly",
            "https://www.googleapis.com/auth/gmail.readonly",
            "https://www.googleapis.com/auth/gmail.send",
        ],
        // Without `prompt=consent` a second sign-in brings no refresh token.
        authorize_params: &[
            ("access_type", "offline"),
            ("prompt", "consent"),
            ("include_granted_scopes", "true"),
        ],
        placeholders: &[],
        refresh: Refresh {
            rotation: Rotation::Never,
            access_lifetime_s: Some(3_599),
            idle_lifetime_s: None,
            sends_redirect_uri: false,
            needs_scope: None,
        },
        account: Account::IdToken { id: &["sub"], name: &["email"] },
        client: Client::Ours,
    }),
    api: Some(Api {
        base_url: "https://www.googleapis.com",
        paging: Paging::Cursor {
            items: "/items",
            next: "/nextPageToken",
            param: "pageToken",
            size_param: "maxResults",
            max_size: 500,
        },
        limits: &[Limit { requests: 600, seconds: 60, per: LimitScope::Token }],
        throttle: Throttle {
            statuses: &[403, 429],
            wait: Wait::RetryAfter { otherwise_s: 1 },
            ambiguous: Ambiguous::ForbiddenByReason {
                at: "/error/errors/0/reason",
                reasons: &["rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded"],
            },
        },
    }),
    webhook: Some(Webhook {
        setup: Setup::Api,
        address: Address::PerSubscription,
        verifications: &[
            Verification {
                scheme: SignatureScheme::GoogleChannel,
                proof: Proof::Secret(Scheme::Token(Token { at: TokenAt::Header("x-goog-channel-token") })),
                secret: Secret::Ours,
                client_secret: None,
            },
            Verification {
                scheme: SignatureScheme::GooglePush,
                proof: Proof::Published(Published {
                    keys_url: "https://www.googleapis.com/oauth2/v3/certs",
                    at: TokenPlace::Bearer,
                    issuer: Issuer::Exactly("https://accounts.google.com"),
                    audience: Audience::Address,
                    claims: &[
                        // The service account of the push subscription: what the endpoint keeps as its
                        // secret.
                        Claim { names: &["email"], is: Expected::Stored },
                        Claim { names: &["email_verified"], is: Expected::True },
                    ],
                    beside: None,
                }),
                secret: Secret::Theirs,
                client_secret: None,
            },
        ],
        handshake: Handshake::FirstDelivery { header: "x-goog-resource-state", value: "sync" },
        event_type: EventType::Header("x-goog-resource-state"),
        dedupe: Dedupe::HeadersOrJson(
            &["x-goog-channel-id", "x-goog-message-number"],
            &["/message/messageId"],
        ),
        routing: Routing::Endpoint,
        // Channels of Calendar; a file's channel ends after a day.
        lifetime: Lifetime::Replaced { max_s: 604_800 },
        acknowledgement: Acknowledgement::Told,
    }),
    adapter: Adapter::None,
};
