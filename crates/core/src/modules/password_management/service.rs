//! `PasswordManagementService`: the plugin's service over the hashes in provider identities.

use cr_db::models::provider_identity::{self, ProviderIdentity};
use cr_types::ids::CustomerId;
use secrecy::SecretString;

use crate::app::App;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::options::OWNED_PROVIDERS;
use crate::password::Verdict;

/// The plugin's service. Nothing of it hashes within a transaction.
pub struct PasswordManagementService;

impl PasswordManagementService {
    /// The credentials of a customer that hold the account's password: those of `emailpass` and `phonepass`, of all identities.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn list_credentials(cx: &mut Ctx, customer: &CustomerId) -> Result<Vec<ProviderIdentity>, Error> {
        let mut credentials = provider_identity::list_of_customer(&mut cx.tx, customer).await?;
        credentials.retain(|row| OWNED_PROVIDERS.contains(&row.provider.as_str()));
        Ok(credentials)
    }

    /// Whether a password is the credential's. Costs one hash, whatever comes out; without a credential, too.
    /// `whose` says who shares turns at hashing.
    ///
    /// # Errors
    /// 503 when too many hashes wait.
    pub async fn verify_password(
        app: &App,
        whose: &str,
        credential: Option<&ProviderIdentity>,
        password: SecretString,
    ) -> Result<Verdict, Error> {
        let Some(stored) = credential.and_then(ProviderIdentity::password) else {
            app.hashes.verify_dummy(whose, password).await?;
            return Ok(Verdict::Mismatch);
        };
        app.hashes.verify(whose, password, stored.to_owned()).await
    }

    /// Writes a hash to all credentials of the account of `own`, each if it still holds what was read. `own` is the one that the
    /// change came by: only that one is changed although another actor shares its identity.
    ///
    /// # Errors
    /// 409 when somebody else was quicker; or when a statement fails.
    pub async fn update_password(cx: &mut Ctx, own: &ProviderIdentity, hash: &str) -> Result<(), Error> {
        let mut credentials = match own.identity.customer_id() {
            Some(customer) => Self::list_credentials(cx, &customer).await?,
            None => Vec::new(),
        };
        credentials.retain(|row| row.id != own.id && !row.identity.is_shared());
        credentials.push(own.clone());
        for credential in credentials {
            if !provider_identity::update_password(&mut cx.tx, &credential, hash, cx.now).await? {
                return Err(Error::conflict());
            }
        }
        Ok(())
    }
}
