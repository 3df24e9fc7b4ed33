//! How the SDK's queries are written.

use aws_sdk_s3::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextMut},
    error::BoxError,
};

/// Queries in the form and order that Signature Version 4 signs, `?delete=` in place of `?delete`: a server that computes
/// the signature over the query as it came (`rclone serve s3` 1.65) refuses any other.
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

/// `uri` with its query in the canonical form of Signature Version 4: in the order of names, then values, with an `=`
/// behind each name. `None` where that is how it is written.
fn as_signed(uri: &str) -> Option<String> {
    let (path, query) = uri.split_once('?')?;
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(&str, &str)> = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let written = pairs.join("&");
    (written != query).then(|| format!("{path}?{written}"))
}

#[cfg(test)]
mod tests {
    use super::as_signed;

    #[test]
    fn a_query_is_written_as_it_is_signed() {
        assert_eq!(as_signed("http://s/b?delete").as_deref(), Some("http://s/b?delete="));
        assert_eq!(as_signed("/b?uploads&prefix=a%3D&x").as_deref(), Some("/b?prefix=a%3D&uploads=&x="));
        let parts = as_signed("/b/k?x-id=ListParts&uploadId=1&max-parts=2");
        assert_eq!(parts.as_deref(), Some("/b/k?max-parts=2&uploadId=1&x-id=ListParts"));
        for as_it_is in ["/b", "/b?", "/b?a=b&c=", "/b?a=&a-b=%2F"] {
            assert_eq!(as_signed(as_it_is), None, "{as_it_is}");
        }
    }
}
