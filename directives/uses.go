package directives

// UsesHandlerScripts tells whether a WSGIHandlerScript stands anywhere in the configuration: only then can a handler name that is not
// this module's own be one of its handlers.
func (c *Config) UsesHandlerScripts() bool {
	return c.anyScope(func(s *scope) bool { return len(s.handlerScripts) > 0 })
}

// UsesAccessScripts tells whether a WSGIAccessScript stands anywhere in the configuration: only then is there access to check.
// Scripts of .htaccess files come later, see Settings.
func (c *Config) UsesAccessScripts() bool {
	return c.anyScope(func(s *scope) bool { return s.accessScript != nil })
}

func (c *Config) anyScope(is func(*scope) bool) bool {
	for i := range c.Servers {
		if is(&c.Servers[i].scope) {
			return true
		}
	}
	for _, section := range c.sections {
		if is(section) {
			return true
		}
	}
	return false
}
