//! How the SDK's queries are written.

use aws_sdk_s3::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextMut},
    error::BoxError,
};

/// `?delete=` in place of `?delete`: the first is what Signature Version 4 signs, and a server that computes the signature
/// over the query as it came (`rclone serve s3` 1.65) refuses the second.
#[derive(Debug)]
pub(super) struct AsSigned;

impl Intercept for AsSigned {
    fn name(&self) -> &'static str {
        "AsSigned"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        if let Some(written) = as_signed(request.uri()) {
            request.set_uri(written)?;
        }
        Ok(())
    }
}

/// `uri` with an `=` behind each name of its query; `None` where that is how it is written.
fn as_signed(uri: &str) -> Option<String> {
    let (path, query) = uri.split_once('?')?;
    let named = |pair: &str| pair.is_empty() || pair.contains('=');
    if query.split('&').all(named) {
        return None;
    }
    let pairs = query.split('&').map(|pair| if named(pair) { pair.to_owned() } else { format!("{pair}=") });
    Some(format!("{path}?{}", pairs.collect::<Vec<_>>().join("&")))
}

#[cfg(test)]
mod tests {
    use super::as_signed;

    #[test]
    fn a_query_is_written_as_it_is_signed() {
        assert_eq!(as_signed("http://s/b?delete").as_deref(), Some("http://s/b?delete="));
        assert_eq!(as_signed("/b?uploads&prefix=a%3D&x").as_deref(), Some("/b?uploads=&prefix=a%3D&x="));
        for as_it_is in ["/b", "/b?", "/b?a=b&c="] {
            assert_eq!(as_signed(as_it_is), None, "{as_it_is}");
        }
    }
}
