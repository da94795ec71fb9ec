package directives

// UsesHandlerScripts tells whether a WSGIHandlerScript stands anywhere in the configuration: only then can a handler name that is not
// this module's own be one of its handlers.
func (c *Config) UsesHandlerScripts() bool {
	for i := range c.Servers {
		if len(c.Servers[i].scope.handlerScripts) > 0 {
			return true
		}
	}
	for _, section := range c.sections {
		if len(section.handlerScripts) > 0 {
			return true
		}
	}
	return false
}
