//! What a rule is.

/// How much a rule asks, in the words of RFC 2119.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// A plugin that breaks it fails.
    Must,
    /// A plugin that breaks it gets a warning.
    Should,
}

/// One sentence of the contract.
#[derive(Debug)]
pub struct Rule {
    /// `ENC-004`. Never given to another rule.
    pub id: &'static str,
    /// A few words.
    pub title: &'static str,
    /// What a plugin must or should do, as docs/specs/ has it.
    pub text: &'static str,
    /// The table it is about; `None` when it is about every plugin.
    pub table: Option<&'static str>,
    /// What breaking it means.
    pub severity: Severity,
    /// What to do about it.
    pub remedy: &'static str,
    /// The page of docs/specs/ that lists it, without `.md`.
    pub page: &'static str,
}

impl Rule {
    /// Where it is written down, from the project's root.
    #[must_use]
    pub fn anchor(&self) -> String {
        format!("docs/specs/{}.md#{}", self.page, self.id.to_lowercase())
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

/// Every rule, in the order of the reports.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    crate::rules::PAGES.iter().flat_map(|page| page.iter().copied())
}

/// The rule with this id.
pub(crate) fn find(id: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.id.eq_ignore_ascii_case(id))
}

/// Makes the rules of one page: `NAME "ID" Severity "title" "text" "remedy";`.
macro_rules! page {
    ($page:literal, $table:expr; $($name:ident $id:literal $severity:ident $title:literal $text:literal $remedy:literal;)*) => {
        $(
            #[doc = $text]
            pub(crate) static $name: $crate::rule::Rule = $crate::rule::Rule {
                id: $id,
                title: $title,
                text: $text,
                table: $table,
                severity: $crate::rule::Severity::$severity,
                remedy: $remedy,
                page: $page,
            };
        )*

        /// The rules of this page.
        pub(crate) static ALL: &[&$crate::rule::Rule] = &[$(&$name),*];
    };
}

pub(crate) use page;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_different_and_texts_say_what_is_asked() {
        let all: Vec<_> = rules().collect();
        for (i, rule) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|other| other.id != rule.id), "{}", rule.id);
            let word = match rule.severity {
                Severity::Must => "MUST",
                Severity::Should => "SHOULD",
            };
            assert!(rule.text.contains(word), "{}: {}", rule.id, rule.text);
            assert!(rule.text.ends_with('.') && rule.remedy.ends_with('.'), "{}", rule.id);
        }
    }
}
