//! Jira Cloud. One grant may cover several sites.

use super::row::*;

pub(super) static JIRA: Provider = Provider {
    id: "jira",
    name: "Jira Cloud",
    category: Category::ProjectManagement,
    connect: Connect::OAuth(OAuth {
        authorize_url: "https://auth.atlassian.com/authorize",
        token_url: "https://auth.atlassian.com/oauth/token",
        revoke: None,
        pkce: Pkce::Unsupported,
        token_auth: TokenAuth::Body,
        token_format: BodyFormat::Json,
        token_headers: &[],
        token_params: &[],
        failure: Failure::Status,
        scope_separator: ' ',
        granted_separator: ' ',
        default_scopes: &[
            "read:jira-work",
            "write:jira-work",
            "read:jira-user",
            "manage:jira-webhook",
            "offline_access",
        ],
        authorize_params: &[("audience", "api.atlassian.com"), ("prompt", "consent")],
        placeholders: &[],
        refresh: Refresh {
            rotation: Rotation::SingleUse,
            access_lifetime_s: Some(3_600),
            idle_lifetime_s: Some(7_776_000),
            sends_redirect_uri: false,
            needs_scope: Some("offline_access"),
        },
        account: Account::Call(AccountCall {
            url: "https://api.atlassian.com/oauth/token/accessible-resources",
            is_list: true,
            id: "/id",
            name: "/name",
        }),
        client: Client::Ours,
    }),
    api: Some(Api {
        base_url: "https://api.atlassian.com/ex/jira/{account_id}",
        paging: Paging::Cursor {
            items: "/issues",
            next: "/nextPageToken",
            param: "nextPageToken",
            size_param: "maxResults",
            max_size: 100,
        },
        // Points, bursts and writes per issue: what a request costs is not told beforehand.
        limits: &[],
        throttle: Throttle {
            statuses: &[429, 503],
            wait: Wait::RetryAfter { otherwise_s: 30 },
            ambiguous: Ambiguous::Nothing,
        },
    }),
    webhook: Some(Webhook {
        setup: Setup::Api,
        address: Address::PerSubscription,
        verifications: &[
            // A site administrator's webhook.
            Verification {
                scheme: SignatureScheme::Jira,
                proof: Proof::Secret(Scheme::Hmac(Hmac::of_body(
                    "x-hub-signature",
                    Prefix::Always("sha256="),
                ))),
                secret: Secret::Ours,
                client_secret: None,
            },
            // One that an OAuth client registers: there is no field for a secret.
            Verification {
                scheme: SignatureScheme::JiraClient,
                proof: Proof::Secret(Scheme::SignedToken(SignedToken { header: "authorization" })),
                secret: Secret::Theirs,
                client_secret: Some(ClientSecret::OAuth),
            },
        ],
        handshake: Handshake::Nothing,
        event_type: EventType::Json(&["/webhookEvent"]),
        dedupe: Dedupe::HeadersOrJson(&["x-atlassian-webhook-identifier"], &[]),
        routing: Routing::Endpoint,
        lifetime: Lifetime::Renewed { max_s: 2_592_000 },
        acknowledgement: Acknowledgement::Told,
    }),
    adapter: Adapter::None,
};
