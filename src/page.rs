//! Pages: how many rows, where to go on, and the opaque token that says so; watches resume by such tokens,
//! too.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    caller::Caller,
    error::{Error, Result},
    vault::Vault,
};

/// Rows of a page when the caller does not say.
pub const DEFAULT_SIZE: i32 = 50;
/// Rows of a page at most; who asks for more gets this many.
pub const MAX_SIZE: i32 = 200;

/// The page a caller asked for; `C` is where the page before it ended, the sort key of its last row.
#[derive(Debug, Clone)]
pub struct Page<C> {
    pub size: i64,
    pub after: Option<C>,
}

/// Rows of one page, and where it ended if there are more.
#[derive(Debug)]
pub struct Paged<T, C> {
    pub rows: Vec<T>,
    pub next: Option<C>,
}

/// Binds a token to one list or watch: the caller, the rpc and its filters.
pub struct Tokens<'a> {
    vault: &'a Vault,
    context: [Vec<u8>; 4],
}

impl<'a> Tokens<'a> {
    /// Tokens for `rpc` as `caller` calls it; `filters` is everything in the request but page size and token.
    pub fn new(vault: &'a Vault, caller: &Caller, rpc: &str, filters: Vec<u8>) -> Self {
        let context =
            [caller.tenant.0.as_bytes().to_vec(), caller.subject.clone().into_bytes(), rpc.into(), filters];
        Self { vault, context }
    }

    /// The page that a request asks for. Errors: `PageTokenInvalid`.
    pub fn page<C: DeserializeOwned>(&self, size: i32, token: &str) -> Result<Page<C>> {
        let size = if size <= 0 { DEFAULT_SIZE } else { size.min(MAX_SIZE) };
        let after =
            if token.is_empty() { None } else { Some(self.read(token).ok_or(Error::PageTokenInvalid)?) };
        Ok(Page { size: size.into(), after })
    }

    /// The token of the next page; empty at the end.
    pub fn next<C: Serialize>(&self, next: Option<C>) -> Result<String> {
        next.map_or(Ok(String::new()), |cursor| self.seal(&cursor))
    }

    /// Where a watch goes on; nowhere yet without a token. Errors: `ResumeTokenInvalid`.
    pub fn resume<C: DeserializeOwned>(&self, token: &str) -> Result<Option<C>> {
        if token.is_empty() {
            return Ok(None);
        }
        self.read(token).map(Some).ok_or(Error::ResumeTokenInvalid)
    }

    /// A token that stands for `cursor`.
    pub fn seal<C: Serialize>(&self, cursor: &C) -> Result<String> {
        let plaintext = serde_json::to_vec(cursor).map_err(Error::internal)?;
        let sealed = self.vault.seal_token(&self.context(), &plaintext).map_err(Error::internal)?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    fn read<C: DeserializeOwned>(&self, token: &str) -> Option<C> {
        let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
        serde_json::from_slice(&self.vault.open_token(&self.context(), &sealed).ok()?).ok()
    }

    fn context(&self) -> [&[u8]; 4] {
        self.context.each_ref().map(Vec::as_slice)
    }
}

impl<C> Page<C> {
    /// How many rows to fetch: one more than the page, to see whether there is another.
    pub fn limit(&self) -> i64 {
        self.size + 1
    }

    /// Cuts what was fetched with `limit` to the page; `cursor` tells where a row stands.
    pub fn cut<T>(&self, mut rows: Vec<T>, cursor: impl Fn(&T) -> C) -> Paged<T, C> {
        let more = rows.len() as i64 > self.size;
        if more {
            rows.truncate(usize::try_from(self.size).unwrap_or(usize::MAX));
        }
        let next = rows.last().filter(|_| more).map(cursor);
        Paged { rows, next }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::TenantId;

    fn vault() -> Vault {
        Vault::from_root_keys(&Vault::generate_root_key("r1").unwrap()).unwrap()
    }

    proptest! {
        #[test]
        fn a_token_says_what_it_was_given(cursor in any::<(i64, String)>(), filters in any::<Vec<u8>>()) {
            let (vault, caller) = (vault(), Caller::system(TenantId::new()));
            let tokens = Tokens::new(&vault, &caller, "ListPatients", filters);

            let token = tokens.next(Some(cursor.clone())).unwrap();

            prop_assert_eq!(tokens.page::<(i64, String)>(0, &token).unwrap().after, Some(cursor));
        }

        #[test]
        fn a_token_of_another_caller_rpc_or_filter_is_refused(
            filters in any::<Vec<u8>>(), others in any::<Vec<u8>>(),
        ) {
            prop_assume!(filters != others);
            let (vault, caller) = (vault(), Caller::system(TenantId::new()));
            let token = Tokens::new(&vault, &caller, "ListPatients", filters.clone()).next(Some(1)).unwrap();
            let stranger = Caller::system(TenantId::new());
            let twin = Caller { subject: "another".into(), ..caller.clone() };

            for tokens in [
                Tokens::new(&vault, &caller, "ListPatients", others),
                Tokens::new(&vault, &caller, "ListServices", filters.clone()),
                Tokens::new(&vault, &stranger, "ListPatients", filters.clone()),
                Tokens::new(&vault, &twin, "ListPatients", filters.clone()),
            ] {
                let refused = matches!(tokens.page::<i32>(0, &token), Err(Error::PageTokenInvalid));
                prop_assert!(refused);
            }
        }

        #[test]
        fn no_text_breaks_the_reading(text in ".{1,60}") {
            let (vault, caller) = (vault(), Caller::system(TenantId::new()));
            let refused = Tokens::new(&vault, &caller, "ListPatients", vec![]).page::<i32>(0, &text).is_err();
            prop_assert!(refused);
        }
    }

    #[test]
    fn sizes_are_clamped() {
        let (vault, caller) = (vault(), Caller::system(TenantId::new()));
        let tokens = Tokens::new(&vault, &caller, "ListPatients", vec![]);

        assert_eq!(
            [0, 1, 200, 201].map(|size| tokens.page::<i32>(size, "").unwrap().size),
            [50, 1, 200, 200]
        );
    }

    #[test]
    fn a_full_page_without_a_successor_ends() {
        let page = Page { size: 2, after: None };

        assert_eq!(page.cut(vec![1, 2], |row| *row).next, None);
        assert_eq!(page.cut(vec![1, 2, 3], |row| *row).next, Some(2));
    }
}
