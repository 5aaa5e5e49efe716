//! Step `prepare-template-data`: the values that a code's template may use.

use std::collections::BTreeMap;

use cr_db::models::customer::Customer;

use crate::modules::otp_verification::service::GeneratedOtp;
use crate::options::Options;

/// The values of a code for a customer; a decoy's are made of nobody's data. `more` is what the purpose has besides.
pub fn run(
    options: &Options,
    customer: Option<&Customer>,
    otp: &GeneratedOtp,
    more: BTreeMap<&'static str, String>,
) -> BTreeMap<&'static str, String> {
    let mut variables = more;
    variables.insert("otp", otp.code.clone());
    variables.insert("code", otp.code.clone());
    variables.insert("expires_at", otp.expires_at.to_string());
    variables.insert("expiry_minutes", options.otp_expiry_minutes.to_string());
    if let Some(customer) = customer {
        add_customer(&mut variables, customer);
    }
    variables
}

/// Adds what every message to a customer may greet with.
pub fn add_customer(variables: &mut BTreeMap<&'static str, String>, customer: &Customer) {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    variables.insert("customer_name", text(&customer.first_name));
    variables.insert("email", text(&customer.email));
    variables.insert("phone", text(&customer.phone));
}
