"""kube-proxy: Services and EndpointSlices in, one nftables table per family out."""
