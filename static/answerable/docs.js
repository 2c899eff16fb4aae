// The API's description, drawn by the copy of Swagger UI that is served from here. Nothing is asked of other hosts.
const place = document.getElementById("api");
SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  deepLinking: true,
  validatorUrl: null,
  supportedSubmitMethods: ["get", "post", "put", "patch", "delete"],
  persistAuthorization: false,
});
