//! Conditions on labels.

use crate::domain::StringMap;

/// A condition on labels: that there is one of a name, or one of a name with a value, or that there is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelTest {
    pub name: String,
    /// The value that the label has; any where absent.
    pub value: Option<String>,
    /// Whether there must be such a label; false is that there must be none.
    pub expected: bool,
}

impl LabelTest {
    /// Whether labels satisfy the condition.
    pub fn passes(&self, labels: &StringMap) -> bool {
        let has_value = |label| self.value.as_deref().is_none_or(|value| value == label);
        labels.get(&self.name).is_some_and(has_value) == self.expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_there_with_its_value_or_is_not() {
        let labels: StringMap = [("origin", "legacy"), ("empty", "")].into_iter().collect();
        let passes = |name: &str, value: Option<&str>, expected| {
            LabelTest { name: name.to_owned(), value: value.map(str::to_owned), expected }.passes(&labels)
        };
        assert!(
            passes("origin", None, true) && passes("origin", Some("legacy"), true) && passes("empty", Some(""), true)
        );
        assert!(!passes("origin", Some("other"), true) && !passes("absent", None, true));
        assert!(passes("origin", Some("other"), false) && passes("absent", None, false));
        assert!(!passes("origin", None, false));
    }
}
