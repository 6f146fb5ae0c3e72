//! Every problem that `check` can report: its code, what goes wrong without it, what to do, and an example that the
//! suite runs. The pages in `docs/errors/` are generated from this table, which lies in rooms of its own: each hands on
//! what it has.

use crate::problem::Severity;

#[macro_use]
mod deciding;
#[macro_use]
mod funnel;
#[macro_use]
mod naming;
#[macro_use]
mod reading;
#[macro_use]
mod running;

macro_rules! codes {
    ([] $($variant:ident $code:literal $severity:ident {
        title: $title:literal,
        why: $why:literal,
        fix: $fix:literal,
        wrong: $wrong:literal,
        right: $right:literal,
    })*) => {
        /// What kind of mistake a problem is.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub(crate) enum Code { $($variant),* }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity),* }
            }

            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }

            /// What would happen to the data.
            pub const fn why(self) -> &'static str {
                match self { $(Self::$variant => $why),* }
            }

            /// What to do, in general.
            pub const fn fix(self) -> &'static str {
                match self { $(Self::$variant => $fix),* }
            }

            /// A configuration with exactly this mistake, and the same without it; empty where no text can show it.
            pub const fn example(self) -> (&'static str, &'static str) {
                match self { $(Self::$variant => ($wrong, $right)),* }
            }
        }
    };
}

reading! { [naming deciding running funnel codes] }

impl Code {
    /// The help page of the code, in Markdown.
    pub fn page(self) -> String {
        let mut page = format!(
            "# config-{}\n\n**{}.** {}\n\n{}\n\n## What to do\n\n{}\n",
            self.as_str(),
            self.title(),
            match self.severity() {
                Severity::Error =>
                    "The configuration is not loaded; a running Baton keeps the old one.",
                Severity::Warning =>
                    "A warning: the configuration can be loaded, but look at this first.",
            },
            self.why(),
            self.fix(),
        );
        let (wrong, right) = self.example();
        if !wrong.is_empty() {
            page.push_str(&format!(
                "\n## Example\n\nWrong:\n\n```toml\n{wrong}```\n\nRight:\n\n```toml\n{right}```\n"
            ));
        }
        page
    }
}
