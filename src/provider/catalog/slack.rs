//! Slack. Its API answers 200 to everything and says `ok: false` in the body.

use super::row::*;

pub(super) static SLACK: Provider = Provider {
    id: "slack",
    name: "Slack",
    category: Category::Communication,
    connect: Connect::OAuth(OAuth {
        authorize_url: "https://slack.com/oauth/v2/authorize",
        token_url: "https://slack.com/api/oauth.v2.access",
        revoke: Some(Revoke {
            url: "https://slack.com/api/auth.revoke",
            method: RevokeMethod::Post,
            auth: RevokeAuth::Bearer,
            token: RevokedToken::Access,
            param: None,
            format: BodyFormat::Form,
        }),
        // Taking it makes the app a public client for good,
        // whose refresh tokens end after 30 days (2026-03-30).
        pkce: Pkce::Unsupported,
        token_auth: TokenAuth::Basic,
        token_format: BodyFormat::Form,
        token_headers: &[],
        token_params: &[],
        failure: Failure::OkFlag,
        scope_separator: ',',
        granted_separator: ',',
        default_scopes: &[
            "chat:write",
            "channels:manage",
            "channels:read",
            "groups:read",
            "channels:history",
            "users:read",
            "team:read",
        ],
        authorize_params: &[],
        placeholders: &[],
        refresh: Refresh {
            rotation: Rotation::SingleUse,
            // Twelve hours where the app has switched rotation on; otherwise tokens live on.
            access_lifetime_s: Some(43_200),
            idle_lifetime_s: None,
            sends_redirect_uri: false,
            needs_scope: None,
        },
        // An organisation's installation has no team.
        account: Account::Token {
            id: &["/team/id", "/enterprise/id"],
            name: &["/team/name", "/enterprise/name"],
            otherwise: None,
        },
        client: Client::Ours,
    }),
    api: Some(Api {
        base_url: "https://slack.com/api",
        paging: Paging::Cursor {
            items: "",
            next: "/response_metadata/next_cursor",
            param: "cursor",
            size_param: "limit",
            max_size: 999,
        },
        // Tier 2; each method has a tier of its own.
        limits: &[Limit { requests: 20, seconds: 60, per: LimitScope::Token }],
        throttle: Throttle {
            statuses: &[429],
            wait: Wait::RetryAfter { otherwise_s: 60 },
            ambiguous: Ambiguous::Nothing,
        },
    }),
    webhook: Some(Webhook {
        setup: Setup::ByHand,
        address: Address::PerClient,
        verifications: &[Verification {
            scheme: SignatureScheme::Slack,
            proof: Proof::Secret(Scheme::Hmac(Hmac {
                hash: Hash::Sha256,
                header: "x-slack-signature",
                prefix: Prefix::Always("v0="),
                encoding: Encoding::LowerHex,
                signed: &[Part::Text("v0:"), Part::Timestamp, Part::Text(":"), Part::Body],
                time: Some(SignedTime {
                    header: "x-slack-request-timestamp",
                    format: TimeFormat::UnixSeconds,
                }),
                companions: &[],
            })),
            secret: Secret::Theirs,
            client_secret: Some(ClientSecret::Signing),
        }],
        handshake: Handshake::SignedChallenge {
            kind: "/type",
            word: "url_verification",
            challenge: "/challenge",
        },
        event_type: EventType::Json(&["/event/type", "/type", "/command"]),
        dedupe: Dedupe::Json(&["/event_id"]),
        // A slash command is a form, an interaction has JSON inside a form; both name the team, too.
        routing: Routing::Account(&["/team_id", "/team/id", "/enterprise_id"]),
        lifetime: Lifetime::Endless,
        acknowledgement: Acknowledgement::Empty,
    }),
    adapter: Adapter::None,
};
