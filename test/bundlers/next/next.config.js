// Nothing: what follows would be configuration that an app needs for Imprint.
export default {};
