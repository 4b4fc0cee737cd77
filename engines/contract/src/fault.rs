//! What a failed function means for the viewer: status and `X-Cache` word per family
//! (cloudfront-functions.md 9, lambda-edge.md 4.1).

/// The two families of functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// CloudFront Functions: light JavaScript at the viewer hooks.
    Viewer,
    /// Lambda@Edge: JavaScript and Python at all four hooks.
    Lambda,
}

/// How a function failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It ran, and its result breaks the contract.
    Validation,
    /// It threw, ran over a limit, or its process died.
    Execution,
    /// There was no room to run it.
    Throttled,
}

impl Fault {
    /// Status that the viewer gets.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Validation => 502,
            Self::Execution | Self::Throttled => 503,
        }
    }

    /// First word of `X-Cache`, also the result type in logs.
    #[must_use]
    pub const fn token(self, family: Family) -> &'static str {
        match (family, self) {
            (Family::Viewer, Self::Validation) => "FunctionValidationError",
            (Family::Viewer, Self::Execution) => "FunctionExecutionError",
            (Family::Viewer, Self::Throttled) => "FunctionThrottledError",
            (Family::Lambda, Self::Validation) => "LambdaValidationError",
            (Family::Lambda, Self::Execution) => "LambdaExecutionError",
            (Family::Lambda, Self::Throttled) => "LambdaLimitExceeded",
        }
    }
}
