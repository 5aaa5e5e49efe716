//! Which variables and helpers a template uses, checked against those that its kind has.

use handlebars::Path;
use handlebars::template::{HelperTemplate, Parameter, Subexpression, Template, TemplateElement};

/// The helpers that make sense over plain texts.
const HELPERS: [&str; 7] = ["if", "unless", "eq", "ne", "and", "or", "not"];

/// How many values a helper takes, where any number will not do: with fewer, rendering fails.
fn arity(helper: &str) -> Option<usize> {
    match helper {
        "if" | "unless" | "not" => Some(1),
        "eq" | "ne" => Some(2),
        _ => None,
    }
}

/// A sentence for each thing that the template may not use.
pub(crate) fn problems(template: &Template, known: &[&str], html: bool) -> Vec<String> {
    let mut check = Check { known, html, found: Vec::new() };
    check.template(template);
    check.found
}

/// One walk through a template.
struct Check<'a> {
    known: &'a [&'a str],
    html: bool,
    found: Vec<String>,
}

impl Check<'_> {
    /// Walks all elements.
    fn template(&mut self, template: &Template) {
        for element in &template.elements {
            self.element(element);
        }
    }

    /// Walks one element and what is in it.
    fn element(&mut self, element: &TemplateElement) {
        match element {
            TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
            TemplateElement::Expression(expression) => self.expression(expression),
            TemplateElement::HtmlExpression(expression) => {
                if self.html {
                    let name = name(&expression.name);
                    self.report(format!("Template writes {name} unescaped into HTML; write it with two braces"));
                }
                self.expression(expression);
            }
            TemplateElement::HelperBlock(block) => self.helper(block),
            // Partials, decorators and whatever a later version of the crate may add.
            _ => {
                self.report("Template uses a partial or a decorator; put its text in".to_owned());
            }
        }
    }

    /// `{{variable}}` or `{{helper parameter}}`.
    fn expression(&mut self, expression: &HelperTemplate) {
        if expression.params.is_empty() && expression.hash.is_empty() {
            self.parameter(&expression.name);
            return;
        }
        self.helper(expression);
    }

    /// A helper with its parameters and, where it is a block, what is inside.
    fn helper(&mut self, helper: &HelperTemplate) {
        let name = name(&helper.name);
        if !HELPERS.contains(&name) {
            self.report(format!("Template uses the helper {name}; there are {}", HELPERS.join(", ")));
            return;
        }
        if let Some(arity) = arity(name).filter(|arity| helper.params.len() != *arity) {
            self.report(format!(
                "Template uses the helper {name} with {}; it takes {arity}",
                values(helper.params.len())
            ));
        }
        for parameter in helper.params.iter().chain(helper.hash.values()) {
            self.parameter(parameter);
        }
        for inner in [&helper.template, &helper.inverse].into_iter().flatten() {
            self.template(inner);
        }
    }

    /// A literal, a variable, or an expression in parentheses.
    fn parameter(&mut self, parameter: &Parameter) {
        match parameter {
            Parameter::Subexpression(Subexpression { element, .. }) => match element.as_ref() {
                // In parentheses even a name alone is called.
                TemplateElement::Expression(expression) => self.helper(expression),
                other => self.element(other),
            },
            Parameter::Name(_) | Parameter::Path(_) => {
                let name = name(parameter);
                if !self.known.contains(&name) {
                    let known = self.known.join(", ");
                    self.report(format!("Template uses the unknown variable {name}; there are {known}"));
                }
            }
            _ => {}
        }
    }

    /// Keeps a sentence, once.
    fn report(&mut self, problem: String) {
        if !self.found.contains(&problem) {
            self.found.push(problem);
        }
    }
}

/// A count in words.
fn values(count: usize) -> String {
    if count == 1 { "1 value".to_owned() } else { format!("{count} values") }
}

/// A variable's or helper's name as it is written.
fn name(parameter: &Parameter) -> &str {
    match parameter {
        Parameter::Name(name) | Parameter::Path(Path::Relative((_, name)) | Path::Local((_, _, name))) => name,
        _ => "an expression",
    }
}
