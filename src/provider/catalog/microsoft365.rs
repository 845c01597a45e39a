//! Microsoft 365, by way of Graph. It signs nothing: each element of a delivery repeats a text of ours, and
//! deliveries with data carry tokens beside.

use super::row::*;

/// The field of our text, and the list it is in.
const CLIENT_STATE: Token = Token { at: TokenAt::EachOf { list: "/value", field: "clientState" } };

pub(super) static MICROSOFT365: Provider = Provider {
    id: "microsoft365",
    name: "Microsoft 365",
    category: Category::Productivity,
    connect: Connect::OAuth(OAuth {
        authorize_url: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
        token_url: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
        revoke: None,
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
            "profile",
            "offline_access",
            "User.Read",
            "User.ReadBasic.All",
            "Calendars.ReadWrite",
            "Mail.Read",
            "Mail.Send",
        ],
        authorize_params: &[("response_mode", "query"), ("prompt", "select_account")],
        placeholders: &[Placeholder { name: "tenant", shape: Shape::Segment, default: Some("common") }],
        refresh: Refresh {
            rotation: Rotation::Replaced,
            access_lifetime_s: Some(3_600),
            idle_lifetime_s: Some(7_776_000),
            sends_redirect_uri: false,
            needs_scope: Some("offline_access"),
        },
        account: Account::IdToken { id: &["tid", "oid"], name: &["preferred_username"] },
        client: Client::Ours,
    }),
    api: Some(Api {
        base_url: "https://graph.microsoft.com/v1.0",
        paging: Paging::Link { items: "/value", next: "/@odata.nextLink", size_param: "$top", max_size: 50 },
        limits: &[Limit { requests: 10_000, seconds: 600, per: LimitScope::Account }],
        throttle: Throttle {
            statuses: &[429, 503, 504],
            wait: Wait::RetryAfter { otherwise_s: 10 },
            ambiguous: Ambiguous::Nothing,
        },
    }),
    webhook: Some(Webhook {
        setup: Setup::Api,
        address: Address::PerSubscription,
        verifications: &[
            Verification {
                scheme: SignatureScheme::Microsoft365,
                proof: Proof::Secret(Scheme::Token(CLIENT_STATE)),
                secret: Secret::Ours,
                client_secret: None,
            },
            Verification {
                scheme: SignatureScheme::Microsoft365Data,
                proof: Proof::Published(Published {
                    keys_url: "https://login.microsoftonline.com/common/discovery/v2.0/keys",
                    at: TokenPlace::EachOf("/validationTokens"),
                    issuer: Issuer::BeginsWith(&[
                        "https://login.microsoftonline.com/",
                        "https://sts.windows.net/",
                    ]),
                    audience: Audience::ClientId,
                    // The publisher of change notifications, in tokens of version 2 and 1.
                    claims: &[Claim {
                        names: &["azp", "appid"],
                        is: Expected::Text("0bf30f3b-4a52-48df-9a82-234910c4a086"),
                    }],
                    beside: Some(Scheme::Token(CLIENT_STATE)),
                }),
                secret: Secret::Ours,
                client_secret: None,
            },
        ],
        handshake: Handshake::EchoQuery { method: EchoMethod::Post, param: "validationToken", headers: &[] },
        event_type: EventType::Json(&["/value/0/lifecycleEvent", "/value/0/changeType"]),
        dedupe: Dedupe::EachOf { list: "/value", field: "id" },
        routing: Routing::Endpoint,
        // Of Outlook's records; what the answer says counts.
        lifetime: Lifetime::Renewed { max_s: 253_800 },
        acknowledgement: Acknowledgement::Told,
    }),
    adapter: Adapter::None,
};
