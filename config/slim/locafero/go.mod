module github.com/sagikazarmark/locafero

go 1.26.0

require github.com/spf13/afero v1.15.0
