"""origin-request: requests for the beta go to another path of the origin."""


def lambda_handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    if "beta" in request["querystring"]:
        request["origin"]["custom"]["path"] = "/beta"
    return request
