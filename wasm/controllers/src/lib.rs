//! What the control plane writes back: pods, addresses, EndpointSlices.
