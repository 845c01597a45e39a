//! A provider's words, each written once though it is both read and told.

/// Gives an enum `of`, which reads a word, and `as_str`, which tells it. What is none of the words becomes
/// `$other`: with the word in the form that `$keep` gives it, or told as `$unknown`.
macro_rules! names {
    ($enum:ident { $($variant:ident = $name:literal),+ $(,)? } else $other:ident($keep:expr)) => {
        impl $enum {
            /// Every one with a name of its own.
            pub const KNOWN: &[Self] = &[$(Self::$variant),+];

            /// As the provider writes it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::$other(name) => name,
                }
            }

            pub fn of(name: impl AsRef<str>) -> Self {
                match name.as_ref() {
                    $($name => Self::$variant,)+
                    other => Self::$other($keep(other)),
                }
            }
        }
    };
    ($enum:ident { $($variant:ident = $name:literal),+ $(,)? } else $other:ident = $unknown:literal) => {
        impl $enum {
            /// As the provider writes it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::$other => $unknown,
                }
            }

            pub fn of(name: &str) -> Self {
                match name {
                    $($name => Self::$variant,)+
                    _ => Self::$other,
                }
            }
        }
    };
}

pub(in crate::provider) use names;
