//! The form that takes the token.

use maud::html;

use super::{Around, Hand, page};

/// How the last try went.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Tried {
    /// There was none.
    Not,
    /// It was not the token.
    Wrong,
}

/// The page.
pub(in super::super) fn sign_in(around: &Around<'_>, tried: Tried) -> String {
    let main = html! {
        h1 { "Sign in" }
        @if around.hand == Hand::Nobody {
            p { "This daemon takes no orders: it was started without a token. Start it with " code { "--token-file FILE" } "; "
                code { "openssl rand -hex 32" } " makes a good one." }
        } @else {
            form.panel.sign method="post" action="/sign-in" {
                @if tried == Tried::Wrong { p #wrong .alert role="alert" { "That is not the token." } }
                label for="token" { "The token of this daemon" }
                input #token type="password" name="token" required autocomplete="current-password" autofocus
                    aria-describedby=(if tried == Tried::Wrong { "wrong" } else { "hint" });
                p #hint .small.soft { "It lies in the file that " code { "--token-file" } " names. It lets you run, pause and resume jobs." }
                button type="submit" { "Sign in" }
            }
        }
    };
    page(around, "Sign in", &[("Mirrors", "/".to_owned())], &main)
}
